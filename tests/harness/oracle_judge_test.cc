#include <gmock/gmock.h>

#include "harness/oracle/result.h"
#include "harness/scenario/names.h"
#include "tests/harness/oracle_world.h"

namespace oracle {
namespace {

using ::testing::HasSubstr;

// Three boots that prove a loop.
pod::WorldRecord loop() {
  auto record = failing_boots(3);
  record.end = std::chrono::minutes(1);
  record.log = {{std::chrono::seconds(1), 1, "fatal: destination path 'AReaL' already exists"}};
  return record;
}

const Finding* finding(const ScenarioResult& result, const std::string& subject) {
  for (const auto& candidate : result.findings) {
    if (candidate.subject == subject) return &candidate;
  }
  return nullptr;
}

TEST(Judge, AnExpectedLoopIsAPass) {
  scenario::Scenario scenario;
  scenario.expect.outcome = scenario::Outcome::kLooped;
  scenario.expect.oracles["never-loops"] = scenario::OracleExpectation::kFailProven;
  scenario.expect.boots = scenario::Bound{3, std::nullopt};
  scenario.expect.boot_spacing_seconds = scenario::Bound{16, 18};
  scenario.expect.log = {"destination path '.*' already exists"};
  const auto result = judge(scenario, loop());
  EXPECT_EQ(result.judgement, Judgement::kPass) << result.reason;
  EXPECT_THAT(result.reason, HasSubstr("looped after 3 boots"));
}

TEST(Judge, AnUnexpectedLoopFails) {
  const auto result = judge({}, loop());
  EXPECT_EQ(result.judgement, Judgement::kFail);
  EXPECT_THAT(result.reason, HasSubstr("never-loops fails (proven)"));
  EXPECT_EQ(exit_status(result.judgement), 1);
}

TEST(Judge, AProofWhereOnlyAnObservationWasExpectedFails) {
  scenario::Scenario scenario;
  scenario.expect.oracles["never-loops"] = scenario::OracleExpectation::kFailObserved;
  EXPECT_EQ(judge(scenario, loop()).judgement, Judgement::kFail);
}

TEST(Judge, AnOracleThatWasExpectedToFailAndPassesFails) {
  scenario::Scenario scenario;
  scenario.expect.oracles["work-preserved"] = scenario::OracleExpectation::kFail;
  const auto result = judge(scenario, failing_boots(1));
  EXPECT_EQ(result.judgement, Judgement::kFail);
  EXPECT_THAT(finding(result, "work-preserved")->text, HasSubstr("was expected to fail"));
}

TEST(Judge, ScenariosMayNameEveryOracleAndNoOther) {
  std::vector<std::string> names;
  for (const auto& oracle : all()) names.push_back(oracle.name);
  EXPECT_THAT(scenario::oracle_names(), ::testing::UnorderedElementsAreArray(names));
}

TEST(Judge, AnAllowedOracleIsNotAsked) {
  scenario::Scenario scenario;
  scenario.allow = {{"never-loops", "this is what the tooth does"}};
  const auto result = judge(scenario, loop());
  EXPECT_EQ(result.judgement, Judgement::kPass);
  EXPECT_THAT(finding(result, "never-loops")->text, HasSubstr("this is what the tooth does"));
  EXPECT_EQ(result.verdicts.size(), all().size() - 1);
}

TEST(Judge, AnUnknownOracleIsASetupError) {
  scenario::Scenario scenario;
  scenario.expect.oracles["never-lops"] = scenario::OracleExpectation::kPass;
  const auto result = judge(scenario, failing_boots(1));
  EXPECT_EQ(result.judgement, Judgement::kSetupError);
  EXPECT_THAT(result.reason, HasSubstr("never-loops"));
  EXPECT_EQ(exit_status(result.judgement), 3);
}

TEST(Judge, AnEntryThatNeverFiredIsUnknown) {
  auto record = failing_boots(1);
  record.outcome = scenario::Outcome::kRunning;
  record.pending_timeline = true;
  record.pending = {"line 14: step 120"};
  const auto result = judge({}, record);
  EXPECT_EQ(result.judgement, Judgement::kUnknown);
  EXPECT_THAT(result.reason, HasSubstr("line 14: step 120"));
  EXPECT_EQ(exit_status(result.judgement), 2);
}

TEST(Judge, AnEntryThatCouldNotBeDoneIsUnknown) {
  auto record = failing_boots(1);
  record.outcome = scenario::Outcome::kRunning;
  record.passed_over = {"edit as the user: there is no checkout"};
  const auto result = judge({}, record);
  EXPECT_EQ(result.judgement, Judgement::kUnknown);
  EXPECT_THAT(result.reason, HasSubstr("there is no checkout"));
}

TEST(Judge, WhatTheStageCouldNotSeeIsUnknown) {
  auto record = failing_boots(1);
  record.not_covered = {"io_uring by python3"};
  EXPECT_EQ(judge({}, record).judgement, Judgement::kUnknown);
}

TEST(Judge, TheReplayLineNamesFileAndVariant) {
  scenario::Scenario scenario;
  scenario.file = "scenarios/corrupt_git_dir.yaml";
  scenario.variant = "damage=git-gone";
  EXPECT_EQ(judge(scenario, failing_boots(1)).replay,
            "./dev simrun scenarios/corrupt_git_dir.yaml --variant 'damage=git-gone'");
}

TEST(Judge, FailureBeatsUnknown) {
  auto record = loop();
  record.not_covered = {"io_uring by python3"};
  EXPECT_EQ(judge({}, record).judgement, Judgement::kFail);
}

TEST(Judge, BoundsAndOutcomeThatDoNotHoldFail) {
  scenario::Scenario scenario;
  scenario.expect.outcome = scenario::Outcome::kCompleted;
  scenario.expect.boots = scenario::Bound{std::nullopt, 2};
  scenario.expect.attempts = scenario::Bound{1, 1};
  scenario.expect.resumed_at_least = scenario::Bound{100, std::nullopt};
  scenario.expect.never_log = {"^fatal"};
  scenario.expect.log = {"Training starts"};
  const auto result = judge(scenario, loop());
  for (const auto* subject : {"outcome", "boots", "attempts", "resumed-at-least", "never-log", "log"}) {
    ASSERT_NE(finding(result, subject), nullptr) << subject;
    EXPECT_EQ(finding(result, subject)->judgement, Judgement::kFail) << subject;
  }
  EXPECT_THAT(finding(result, "boots")->text, HasSubstr("3 boots, expected at most 2"));
}

TEST(Judge, ABrokenExpressionIsASetupError) {
  scenario::Scenario scenario;
  scenario.expect.log = {"(unclosed"};
  EXPECT_EQ(judge(scenario, failing_boots(1)).judgement, Judgement::kSetupError);
}

}  // namespace
}  // namespace oracle
