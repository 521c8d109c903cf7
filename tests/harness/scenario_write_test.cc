#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "harness/scenario/parse.h"
#include "harness/scenario/write.h"

namespace scenario {
namespace {

namespace fs = std::filesystem;

// What a file has besides its story: lines, its name, the values of a for-each.
Scenario bare(Scenario scenario) {
  scenario.file.clear();
  scenario.variant.clear();
  for (TimelineEntry& entry : scenario.timeline) entry.line = 0;
  return scenario;
}

void expect_round_trip(const Scenario& scenario) {
  const std::string text = write(scenario, "schema.json");
  const auto read = parse(text, "written.yaml");
  ASSERT_TRUE(read) << read.error().message() << "\n" << text;
  ASSERT_EQ(read->size(), 1U);
  EXPECT_EQ(bare(read->front()), bare(scenario)) << text;
}

TEST(ScenarioWriter, EveryScenarioOfThisProjectReadsAsItWas) {
  int count = 0;
  for (const char* folder : {"scenarios", "tests/teeth"}) {
    for (const auto& entry : fs::directory_iterator(fs::path(PROJECT_SOURCE_DIR) / folder)) {
      if (entry.path().extension() != ".yaml") continue;
      const auto scenarios = load(entry.path());
      ASSERT_TRUE(scenarios) << scenarios.error().message();
      for (const Scenario& scenario : *scenarios) {
        SCOPED_TRACE(scenario.file + " " + scenario.variant);
        expect_round_trip(scenario);
        ++count;
      }
    }
  }
  EXPECT_GT(count, 30);
}

TEST(ScenarioWriter, EveryActionReadsAsItWas) {
  for (const char* action : {
           "spot-interrupt",
           "{spot-interrupt: {grace: 1500ms}}",
           "kill-container",
           "recreate-pod",
           "{network: down, for: 90s}",
           "{network: down, for: ever}",
           "{network: reset, request: 3, times: 2, after: 40%, for: 90s}",
           "{network: stall, after: 4096}",
           "{network: slow, rate: 300, for: ever}",
           "{network: http-404, service: pip}",
           "{network: half-open, times: 1, for: 5s}",
           "upstream-commit",
           "{upstream-commit: {path: a/b, content: \"c: d\\n\"}}",
           "{user-edit: {kind: modify, path: a, content: \"12\"}}",
           "{user-edit: {kind: untracked, path: a, content: \"true\"}}",
           "{user-edit: {kind: commit, path: a, content: \"\"}}",
           "{damage: git-gone}",
           "pip-fails",
           "{pip-fails: 3}",
           "{pip-fails: always}",
           "{clock: back, by: 2h}",
           "{clock: forward, by: 1d}",
           "{file: hole, path: \"/workspace/*.json\", match: last}",
           "{file: chmod, path: /workspace/a, mode: \"0444\"}",
           "{disk: hanging, path: /workspace, for: 5min, unkillable: true}",
           "{disk: full, path: /workspace, for: ever}",
           "{env: {A: \"1\", B: null}}",
           "{exec: [podlaunch, resume]}",
           "{gpu: lost, index: 1}",
           "{nvidia-smi: mismatch}",
           "{provider: {fail: 401, api: rest, for: 90s}}",
           "{provider: {fail: not-json, for: ever}}",
       }) {
    const auto scenarios = parse(
        std::string(
            "name: n\npod: {disks: {/workspace: volume}, gpus: 2}\nprovider: {}\nstart: {shell: \"true\"}\ntimeline:\n"
            "  - {when: {boot: 1, log: \"^a: b\", after: 2s}, do: ") +
            action + "}\n  - {when: {step: 3, every: true}, do: {trainer: hang}}\n",
        "action.yaml");
    ASSERT_TRUE(scenarios) << scenarios.error().message();
    SCOPED_TRACE(action);
    expect_round_trip(scenarios->front());
  }
}

TEST(ScenarioWriter, WhatItNamesInOneLineIsYaml) {
  EXPECT_EQ(write_action(NetworkDown{std::chrono::seconds(90)}), "{network: down, for: 90s}");
  EXPECT_EQ(write_action(KillContainer{}), "kill-container");
  Moment moment;
  moment.exec = "git";
  moment.nth = 2;
  EXPECT_EQ(write_moment(moment), "{exec: git, nth: 2}");
}

}  // namespace
}  // namespace scenario
