#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "harness/pod/restart_policy.h"
#include "harness/scenario/parse.h"
#include "harness/scenario/quantity.h"
#include "harness/scenario/reader.h"
#include "harness/scenario/sample.h"
#include "harness/scenario/schema.h"
#include "tests/harness/json_schema.h"

namespace scenario {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string kMinimal = "name: a\nstart: {exec: [sleep, 5]}\n";

Scenario one(const std::string& text) {
  auto scenarios = parse(text, "test.yaml");
  EXPECT_TRUE(scenarios) << scenarios.error().message();
  if (!scenarios || scenarios->size() != 1) return {};
  return scenarios->front();
}

std::string complaint(const std::string& text) {
  const auto scenarios = parse(text, "test.yaml");
  EXPECT_FALSE(scenarios) << "accepted:\n" << text;
  return scenarios ? "" : scenarios.error().message();
}

Moment moment(const std::string& when) {
  const Scenario scenario = one(kMinimal + "timeline: [{when: " + when + ", do: kill-container}]\n");
  return scenario.timeline.empty() ? Moment{} : scenario.timeline.front().when;
}

Action action(const std::string& what, const std::string& when = "{step: 7}") {
  const Scenario scenario = one(kMinimal + "timeline: [{when: " + when + ", do: " + what + "}]\n");
  return scenario.timeline.empty() ? Action{} : scenario.timeline.front().action;
}

// --- What is understood --------------------------------------------------------------------------------------------

TEST(Scenario, MinimalOneHasDefaults) {
  const Scenario scenario = one(kMinimal);
  EXPECT_EQ(scenario.name, "a");
  EXPECT_EQ(scenario.file, "test.yaml");
  EXPECT_EQ(scenario.pod.platform, "runpod");
  EXPECT_EQ(scenario.trainer.steps, 200);
  EXPECT_EQ(scenario.limit, 24h);
  EXPECT_THAT(scenario.start.command, ElementsAre("sleep", "5"));
  EXPECT_FALSE(scenario.start.is_podlaunch);
}

TEST(Scenario, PodIsRead) {
  const Pod pod = one(kMinimal + R"(
pod:
  platform: docker-on-failure-5
  gpus: 0
  disks:
    /: {kind: container, size: 15GiB}
    /workspace: volume
    /shared: {kind: network-volume, size: 1TiB}
  env: {TOKEN: secret, COUNT: 3, DEBUG: true}
  restart-tick: 15.6s
)")
                      .pod;
  EXPECT_EQ(pod.platform, "docker-on-failure-5");
  EXPECT_EQ(pod.gpus, 0);
  ASSERT_EQ(pod.disks.size(), 3U);
  EXPECT_EQ(pod.disks[0].kind, DiskKind::kContainer);
  EXPECT_EQ(pod.disks[0].size_bytes, 15ULL << 30);
  EXPECT_EQ(pod.disks[1].kind, DiskKind::kVolume);
  EXPECT_EQ(pod.disks[1].mount_path, "/workspace");
  EXPECT_EQ(pod.disks[2].kind, DiskKind::kNetworkVolume);
  EXPECT_EQ(pod.environment.at("COUNT"), "3");
  EXPECT_EQ(pod.environment.at("DEBUG"), "true");
  EXPECT_EQ(pod.restart_tick, 15600ms);
}

TEST(Scenario, TrainerAndRepositoryAreRead) {
  const Scenario scenario = one(kMinimal + R"(
trainer: {steps: 50, step-time: 500ms, checkpoint-every: 5, checkpoints: /data}
repository: {fixture: gsm8k, branch: main, url: "https://git.example.org/a/b"}
)");
  EXPECT_EQ(scenario.trainer.steps, 50);
  EXPECT_EQ(scenario.trainer.step_time, 500ms);
  EXPECT_EQ(scenario.trainer.checkpoint_every, 5);
  EXPECT_EQ(scenario.trainer.checkpoint_folder, "/data");
  EXPECT_EQ(scenario.repository.branch, "main");
  EXPECT_EQ(scenario.repository.url, "https://git.example.org/a/b");
}

TEST(Scenario, ShellBecomesBash) {
  const Start start = one("name: a\nstart: {shell: \"echo ${HOME}\", checkout: /x}\n").start;
  EXPECT_THAT(start.command, ElementsAre("bash", "-c", "echo ${HOME}"));
  EXPECT_EQ(start.checkout, "/x");
}

TEST(Scenario, PodlaunchBecomesFlags) {
  const Start start = one(R"(
name: a
start:
  podlaunch:
    repo: https://example.org/a.git
    checkout: /data/tree
    setup: [pip install -e ., make]
    max-attempts: 3
    allow-restart-from-zero: true
    json: false
    done-when: "exit:0"
    train: [python3, train.py, --lr, 0.1]
)")
                          .start;
  EXPECT_TRUE(start.is_podlaunch);
  EXPECT_EQ(start.checkout, "/data/tree");
  EXPECT_THAT(start.command,
              ElementsAre("podlaunch", "--repo", "https://example.org/a.git", "--checkout", "/data/tree", "--setup",
                          "pip install -e .", "--setup", "make", "--max-attempts", "3", "--allow-restart-from-zero",
                          "--done-when", "exit:0", "--", "python3", "train.py", "--lr", "0.1"));
}

TEST(Scenario, MomentsAreRead) {
  EXPECT_EQ(moment("{at: 90s}").at, 90s);
  EXPECT_EQ(moment("{boot: 2}").boot, 2);
  EXPECT_EQ(moment("{step: 12, every: true}").step, 12);
  EXPECT_TRUE(moment("{step: 12, every: true}").every);
  EXPECT_EQ(moment("{log: \"^fatal:\", after: 2min}").log, "^fatal:");
  EXPECT_EQ(moment("{log: x, after: 2min}").after, 2min);
  EXPECT_EQ(moment("{exec: git, nth: 3}").exec, "git");
  EXPECT_EQ(moment("{exec: git, nth: 3}").nth, 3);
  EXPECT_EQ(moment("{syscall: rename, boot: 1}").syscall, "rename");
}

TEST(Scenario, ActionsAreRead) {
  EXPECT_FALSE(std::get<SpotInterrupt>(action("spot-interrupt")).grace);
  EXPECT_EQ(std::get<SpotInterrupt>(action("{spot-interrupt: {grace: 0}}")).grace, 0s);
  EXPECT_TRUE(std::holds_alternative<KillContainer>(action("kill-container")));
  EXPECT_TRUE(std::holds_alternative<RecreatePod>(action("recreate-pod")));
  EXPECT_EQ(std::get<NetworkDown>(action("{network: down, for: 90s}")).lasting, 90s);
  EXPECT_EQ(std::get<NetworkDown>(action("{network: down, for: ever}")).lasting, 0s);
  EXPECT_EQ(std::get<UpstreamCommit>(action("upstream-commit")).path, "");
  EXPECT_EQ(std::get<UpstreamCommit>(action("{upstream-commit: {path: a, content: b}}")).content, "b");
  EXPECT_EQ(std::get<UserEdit>(action("{user-edit: {kind: commit, path: a/b, content: c}}")).kind, EditKind::kCommit);
  EXPECT_EQ(std::get<UserEdit>(action("{user-edit: {kind: untracked, path: a/b, content: c}}")).path, "a/b");
  EXPECT_EQ(std::get<GitDamage>(action("{damage: git-gone}")).kind, "git-gone");
  EXPECT_EQ(std::get<TrainerFault>(action("{trainer: oom}")).kind, TrainerFaultKind::kOutOfMemory);
  EXPECT_EQ(std::get<TrainerFault>(action("{trainer: finish-exit-one}")).kind, TrainerFaultKind::kFinishExitOne);
  EXPECT_EQ(std::get<PipFails>(action("pip-fails")).times, 1);
  EXPECT_EQ(std::get<PipFails>(action("{pip-fails: 3}")).times, 3);
  EXPECT_EQ(std::get<PipFails>(action("{pip-fails: always}")).times, 0);
}

TEST(Scenario, ActionsOnTheMachineAreRead) {
  EXPECT_EQ(std::get<ClockJump>(action("{clock: back, by: 365d}")).by, -365 * 24h);
  EXPECT_EQ(std::get<ClockJump>(action("{clock: forward, by: 1h}")).by, 1h);
  const auto damage = std::get<FileDamage>(action("{file: hole, path: /w/c-*.json, match: last}"));
  EXPECT_EQ(damage.kind, FileDamageKind::kHole);
  EXPECT_EQ(damage.path, "/w/c-*.json");
  EXPECT_TRUE(damage.last);
  EXPECT_EQ(std::get<FileDamage>(action("{file: chmod, path: /w/a, mode: \"0444\"}")).mode, 0444U);
  const auto disk = std::get<DiskFault>(action("{disk: hanging, path: /, for: 5min, unkillable: true}"));
  EXPECT_EQ(disk.kind, DiskFaultKind::kHanging);
  EXPECT_EQ(disk.disk, "/");
  EXPECT_EQ(disk.lasting, 5min);
  EXPECT_TRUE(disk.unkillable);
  EXPECT_EQ(std::get<DiskFault>(action("{disk: read-only, path: /, for: ever}")).lasting, 0s);
  const auto change = std::get<EnvironmentChange>(action("{env: {A: b, C: ~}}")).variables;
  EXPECT_EQ(change.at("A"), "b");
  EXPECT_FALSE(change.at("C"));
  EXPECT_THAT(std::get<Exec>(action("{exec: [podlaunch, resume]}")).command, ElementsAre("podlaunch", "resume"));
  EXPECT_THAT(std::get<Exec>(action("{exec: echo a}")).command, ElementsAre("bash", "-c", "echo a"));
  EXPECT_EQ(std::get<GpuFault>(action("{gpu: lost, index: 0}")).kind, GpuFaultKind::kLost);
  EXPECT_EQ(std::get<NvidiaSmiFault>(action("{nvidia-smi: stuck}")).kind, NvidiaSmiKind::kStuck);
}

TEST(Scenario, GpusAreANumberOrADescription) {
  EXPECT_EQ(one(kMinimal + "pod: {gpus: 8}\n").pod.gpus, 8);
  const Pod pod =
      one(kMinimal + "pod: {gpus: {count: 2, model: A, memory: 1GiB, driver: 1.2, nvidia-smi: false}}\n").pod;
  EXPECT_EQ(pod.gpus, 2);
  EXPECT_EQ(pod.gpu_model.name, "A");
  EXPECT_EQ(pod.gpu_model.memory_mebibytes, 1024);
  EXPECT_EQ(pod.gpu_model.driver, "1.2");
  EXPECT_FALSE(pod.gpu_model.nvidia_smi);
}

TEST(Scenario, TimelineEntriesKnowTheirLines) {
  const Scenario scenario =
      one(kMinimal + "timeline:\n  - {when: {boot: 1}, do: pip-fails}\n  - when: {boot: 2}\n    do: pip-fails\n");
  ASSERT_EQ(scenario.timeline.size(), 2U);
  EXPECT_EQ(scenario.timeline[0].line, 4);
  EXPECT_EQ(scenario.timeline[1].line, 5);
}

TEST(Scenario, ExpectationsAreRead) {
  const Scenario scenario = one(kMinimal + R"(
expect:
  outcome: looped
  boots: 2
  attempts: {at-most: 3}
  boot-spacing: {at-least: 16, at-most: 18.5}
  resumed-at-least: 100
  log: [a, b]
  never-log: ["c$"]
  oracles: {never-loops: fails-proven, work-preserved: fails}
allow: [{oracle: checkout-sound, reason: there is none}]
)");
  const Expect& expect = scenario.expect;
  EXPECT_EQ(expect.outcome, Outcome::kLooped);
  EXPECT_EQ(expect.boots->at_least, 2);
  EXPECT_EQ(expect.boots->at_most, 2);
  EXPECT_FALSE(expect.attempts->at_least);
  EXPECT_EQ(expect.attempts->at_most, 3);
  EXPECT_EQ(expect.boot_spacing_seconds->at_most, 18.5);
  EXPECT_EQ(expect.resumed_at_least->at_least, 100);
  EXPECT_FALSE(expect.resumed_at_least->at_most);
  EXPECT_THAT(expect.log, ElementsAre("a", "b"));
  EXPECT_THAT(expect.never_log, ElementsAre("c$"));
  EXPECT_EQ(expect.oracles.at("never-loops"), OracleExpectation::kFailProven);
  EXPECT_EQ(expect.oracles.at("work-preserved"), OracleExpectation::kFail);
  ASSERT_EQ(scenario.allow.size(), 1U);
  EXPECT_EQ(scenario.allow[0].oracle, "checkout-sound");
}

TEST(Scenario, FilesArePreciousUnlessSaidOtherwise) {
  const Scenario scenario = one(kMinimal + "files: {/a: one, /b: {content: two, precious: false}}\n");
  ASSERT_EQ(scenario.files.size(), 2U);
  EXPECT_EQ(scenario.files[0].content, "one");
  EXPECT_TRUE(scenario.files[0].precious);
  EXPECT_EQ(scenario.files[1].path, "/b");
  EXPECT_FALSE(scenario.files[1].precious);
}

TEST(Scenario, ForEachIsAProduct) {
  const auto scenarios = parse(
      "name: a\nfor-each: {damage: [index-lock, git-gone], n: [1, 2]}\nstart: {shell: \"echo ${damage} ${other}\"}\n"
      "timeline: [{when: {boot: \"${n}\"}, do: {damage: \"${damage}\"}}]\n",
      "test.yaml");
  ASSERT_TRUE(scenarios) << scenarios.error().message();
  ASSERT_EQ(scenarios->size(), 4U);
  EXPECT_EQ((*scenarios)[1].variant, "damage=index-lock, n=2");
  EXPECT_EQ((*scenarios)[1].start.command.back(), "echo index-lock ${other}");
  EXPECT_EQ((*scenarios)[3].timeline[0].when.boot, 2);
  EXPECT_EQ(std::get<GitDamage>((*scenarios)[3].timeline[0].action).kind, "git-gone");
}

TEST(Quantity, LengthsOfTime) {
  EXPECT_EQ(parse_duration("90s"), 90s);
  EXPECT_EQ(parse_duration("5min"), 5min);
  EXPECT_EQ(parse_duration("1.5h"), 90min);
  EXPECT_EQ(parse_duration("1d"), 24h);
  EXPECT_EQ(parse_duration("250ms"), 250ms);
  EXPECT_EQ(parse_duration("12"), 12s);
  for (const char* wrong :
       {"", "s", "-1", "-1s", "1 s", "1m", "1.s", "1e3", "inf", "nan", "1s2", "9999999999d", "+1"}) {
    EXPECT_FALSE(parse_duration(wrong)) << wrong;
  }
}

TEST(Quantity, Sizes) {
  EXPECT_EQ(parse_size("20GiB"), 20ULL << 30);
  EXPECT_EQ(parse_size("15GB"), 15'000'000'000ULL);
  EXPECT_EQ(parse_size("0.5KiB"), 512U);
  EXPECT_EQ(parse_size("7"), 7U);
  for (const char* wrong : {"", "GiB", "-1GiB", "1gib", "1 GiB", "1e9", "99999999TiB"}) {
    EXPECT_FALSE(parse_size(wrong)) << wrong;
  }
}

// --- What is refused -----------------------------------------------------------------------------------------------

TEST(ScenarioError, NamesFileLineKeyAndNearestName) {
  const std::string message = complaint(kMinimal + "expect:\n  outcome: held\n  boot: 2\n");
  EXPECT_THAT(message, HasSubstr("test.yaml:5"));
  EXPECT_THAT(message, HasSubstr("expect.boot is not a known key"));
  EXPECT_THAT(message, HasSubstr("Did you mean \"boots\"?"));
  EXPECT_THAT(message, HasSubstr("outcome, boots, attempts"));
}

TEST(ScenarioError, NamesPlacesInLists) {
  EXPECT_THAT(
      complaint(kMinimal + "timeline:\n  - {when: {boot: 1}, do: pip-fails}\n  - {when: {bot: 1}, do: pip-fails}\n"),
      HasSubstr("test.yaml:5: timeline[2].when.bot"));
}

struct Bad {
  const char* yaml;   // after a minimal scenario
  const char* words;  // in the message
};

// What the schema refuses as well.
const Bad kBadForm[] = {
    {"bogus: 1", "bogus is not a known key"},
    {"story: 5", "story is 5, which is not text. Put it in quotes."},
    {"pod: {platform: runpot}", "Did you mean \"runpod\"?"},
    {"pod: {gpus: -1}", "pod.gpus is -1, but must be a whole number of at least 0"},
    {"pod: {gpus: \"1\"}", "pod.gpus"},
    {"pod: {gpus: 1.5}", "pod.gpus"},
    {"pod: {disks: {work: volume}}", "pod.disks.work"},
    {"pod: {disks: {/: volume}}", "container disk"},
    {"pod: {disks: {/x: container}}", "container disk"},
    {"pod: {disks: {/x: {kind: volume, size: 0}}}", "no size"},
    {"pod: {disks: {/x: {size: 5GiB}}}", "lacks the key \"kind\""},
    {"pod: {env: {A: }}", "pod.env.A is empty"},
    {"pod: {env: [A]}", "pod.env is a list, but must be a map"},
    {"pod: {restart-tick: 0}", "pod.restart-tick"},
    {"repository: {fixture: ../x}", "repository.fixture"},
    {"repository: {branch: -x}", "repository.branch"},
    {"repository: {url: nowhere}", "repository.url"},
    {"trainer: {steps: 0}", "trainer.steps"},
    {"trainer: {step-time: fast}", "trainer.step-time is fast, which is no length of time"},
    {"trainer: {checkpoints: outputs}", "absolute path"},
    {"trainer: {checkpoints: /a/../b}", "trainer.checkpoints"},
    {"files: {a: b}", "absolute path"},
    {"files: {/a: {precious: true}}", "lacks the key \"content\""},
    {"files: {/a: {content: b, precious: maybe}}", "true or false"},
    {"timeline: {when: {boot: 1}, do: pip-fails}", "timeline is a map, but must be a list"},
    {"timeline: [{when: {boot: 1}}]", "lacks the key \"do\""},
    {"timeline: [{do: pip-fails}]", "lacks the key \"when\""},
    {"timeline: [{when: {}, do: pip-fails}]", "names no moment"},
    {"timeline: [{when: {at: -5s}, do: pip-fails}]", "cannot be negative"},
    {"timeline: [{when: {boot: 0}, do: pip-fails}]", "timeline[1].when.boot is 0"},
    {"timeline: [{when: {step: 0}, do: pip-fails}]", "timeline[1].when.step is 0"},
    {"timeline: [{when: {boot: 1, nth: 2}, do: pip-fails}]", "nothing that is counted"},
    {"timeline: [{when: {boot: 1, every: true}, do: pip-fails}]", "comes only once"},
    {"timeline: [{when: {exec: git, syscall: read}, do: pip-fails}]", "at once"},
    {"timeline: [{when: {exec: /usr/bin/git}, do: pip-fails}]", "without its folder"},
    {"timeline: [{when: {syscall: Rename}, do: pip-fails}]", "system call"},
    {"timeline: [{when: {boot: 1}, do: spot-interupt}]", "Did you mean \"spot-interrupt\"?"},
    {"timeline: [{when: {boot: 1}, do: damage}]", "is \"damage\" alone"},
    {"timeline: [{when: {boot: 1}, do: {damage: index-loc}}]", "Did you mean \"index-lock\"?"},
    {"timeline: [{when: {boot: 1}, do: {network: down}}]", "lacks the key \"for\""},
    {"timeline: [{when: {boot: 1}, do: {network: up, for: 5s}}]", "is \"up\""},
    {"timeline: [{when: {boot: 1}, do: {network: down, for: 0}}]", "must be longer"},
    {"timeline: [{when: {boot: 1}, do: {pip-fails: 0}}]", "pip-fails is 0"},
    {"timeline: [{when: {boot: 1}, do: {pip-fails: 1, damage: git-gone}}]", "has 2 keys"},
    {"timeline: [{when: {boot: 1}, do: {explode: 1}}]", "no action"},
    {"timeline: [{when: {boot: 1}, do: {clock: back}}]", "lacks the key \"by\""},
    {"timeline: [{when: {boot: 1}, do: {clock: sideways, by: 1h}}]", "back, forward"},
    {"timeline: [{when: {boot: 1}, do: {file: rear, path: /a}}]", "Did you mean \"tear\"?"},
    {"timeline: [{when: {boot: 1}, do: {file: tear, path: a}}]", "absolute path"},
    {"timeline: [{when: {boot: 1}, do: {file: chmod, path: /a, mode: \"999\"}}]", "permissions"},
    {"timeline: [{when: {boot: 1}, do: {disk: full, path: /}}]", "lacks the key \"for\""},
    {"timeline: [{when: {boot: 1}, do: {disk: slow, path: /, for: ever}}]", "which is not known"},
    {"timeline: [{when: {boot: 1}, do: {env: [A]}}]", "must be a map"},
    {"timeline: [{when: {boot: 1}, do: {exec: []}}]", "names no program"},
    {"timeline: [{when: {boot: 1}, do: {gpu: lost}}]", "lacks the key \"index\""},
    {"timeline: [{when: {boot: 1}, do: {nvidia-smi: hang}}]", "Did you mean \"hangs\"?"},
    {"timeline: [{when: {boot: 1}, do: exec}]", "is \"exec\" alone"},
    {"pod: {gpus: {model: A}}", "lacks the key \"count\""},
    {"timeline: [{when: {boot: 1}, do: {trainer: crash}}]", "without a step"},
    {"timeline: [{when: {step: 1}, do: {trainer: crush}}]", "Did you mean \"crash\"?"},
    {"timeline: [{when: {step: 1}, do: {user-edit: {kind: modify, path: /a, content: b}}}]", "within the repository"},
    {"timeline: [{when: {step: 1}, do: {user-edit: {kind: modify, path: ../a, content: b}}}]", "within the repository"},
    {"timeline: [{when: {step: 1}, do: {user-edit: {kind: modify, path: .git/HEAD, content: b}}}]", "git's own folder"},
    {"timeline: [{when: {step: 1}, do: {user-edit: {kind: edit, path: a, content: b}}}]", "modify, untracked, commit"},
    {"timeline: [{when: {step: 1}, do: {upstream-commit: {path: a}}}]", "lacks the key \"content\""},
    {"expect: {outcome: complete}", "Did you mean \"completed\"?"},
    {"expect: {boots: many}", "expect.boots"},
    {"expect: {boots: {}}", "bounds nothing"},
    {"expect: {boots: {at-leest: 1}}", "Did you mean \"at-least\"?"},
    {"expect: {log: text}", "must be a list"},
    {"expect: {oracles: {never-loop: fails}}", "Did you mean \"never-loops\"?"},
    {"expect: {oracles: {never-loops: fail}}", "Did you mean \"fails\"?"},
    {"expect: {oracles: {work-preserved: fails-proven}}", "Only never-loops"},
    {"allow: [{oracle: never-loops}]", "lacks the key \"reason\""},
    {"allow: [{oracle: never-loops, reason: \"\"}]", "is empty"},
    {"limit: 0", "limit is 0"},
    {"settle: soon", "no length of time"},
    {"for-each: {damage: []}", "has no values"},
    {"for-each: [a]", "for-each is a list"},
};

// What only the parser can see: it compiles expressions, and compares one section with another.
const Bad kBadSense[] = {
    {"timeline: [{when: {log: \"[\"}, do: pip-fails}]", "not a regular expression"},
    {"timeline: [{when: {step: 201}, do: pip-fails}]", "step 201, which never comes"},
    {"timeline: [{when: {boot: 1}, do: {file: tear, path: /a, mode: \"0444\"}}]", "mode without chmod"},
    {"timeline: [{when: {boot: 1}, do: {file: chmod, path: /a}}]", "chmod without mode"},
    {"timeline: [{when: {boot: 1}, do: {disk: full, path: /w, for: ever}}]", "no disk is mounted"},
    {"timeline: [{when: {boot: 1}, do: {disk: full, path: /, for: ever, unkillable: true}}]", "does not hang"},
    {"timeline: [{when: {boot: 1}, do: {gpu: lost, index: 1}}]", "but the pod has 1"},
    {"timeline: [{when: {at: 24h}, do: pip-fails}]", "after the scenario's end"},
    {"timeline: [{when: {step: 5, after: 1s}, do: {trainer: crash}}]", "fails at its step"},
    {"expect: {boots: {at-least: 3, at-most: 2}}", "at-least is larger"},
    {"expect: {oracles: {never-loops: fails}}\nallow: [{oracle: never-loops, reason: x}]", "Keep one of the two"},
    {"trainer: {steps: 5}\ntrainer: {steps: 6}", "the key \"trainer\" twice"},
};

TEST(ScenarioError, BadFormIsRefusedWithItsReason) {
  for (const Bad& bad : kBadForm) EXPECT_THAT(complaint(kMinimal + bad.yaml), HasSubstr(bad.words)) << bad.yaml;
}

TEST(ScenarioError, BadSenseIsRefusedWithItsReason) {
  for (const Bad& bad : kBadSense) EXPECT_THAT(complaint(kMinimal + bad.yaml), HasSubstr(bad.words)) << bad.yaml;
}

const Bad kBadWhole[] = {
    {"", "does not hold a map"},
    {"- a", "does not hold a map"},
    {"name: a", "lacks the key \"start\""},
    {"start: {exec: [a]}", "lacks the key \"name\""},
    {"name: a\nstart: {}", "has 0 start commands"},
    {"name: a\nstart: {shell: a, exec: [b]}", "has 2 start commands"},
    {"name: a\nstart: {exec: []}", "names no program"},
    {"name: a\nstart: {exec: sleep}", "must be a list"},
    {"name: a\nstart: {shell: \"\"}", "is empty"},
    {"name: a\nstart: {podlaunch: {repo: x}}", "lacks the key \"train\""},
    {"name: a\nstart: {podlaunch: {train: a b}}", "start.podlaunch.train is a single value, but must be a list"},
    {"name: a\nstart: {podlaunch: {Repo: x, train: [a]}}", "Did you mean \"repo\"?"},
    {"name: a\nstart: {podlaunch: {checkout: x, train: [a]}}", "absolute path"},
    {"name: a\nstart: {podlaunch: {train: [a]}, checkout: /x}", "within podlaunch"},
};

TEST(ScenarioError, BadWholesAreRefusedWithTheirReason) {
  for (const Bad& bad : kBadWhole) EXPECT_THAT(complaint(bad.yaml), HasSubstr(bad.words)) << bad.yaml;
}

TEST(ScenarioError, YamlThatIsNoneIsReportedWithItsLine) {
  const std::string message = complaint("name: a\nstart: {exec: [a\n");
  EXPECT_THAT(message, HasSubstr("test.yaml:"));
  EXPECT_THAT(message, HasSubstr("not YAML"));
  EXPECT_THAT(complaint(kMinimal + "---\n" + kMinimal), HasSubstr("several YAML documents"));
}

TEST(Sample, CanBePlayedAroundAnyStartCommand) {
  EXPECT_TRUE(parse(sample(""), "sample.yaml"));
  const std::string shell = "cd /workspace && echo \"a: b\" # 'c' \\\n\ttrue ${x} && { git clone x; }";
  const auto read = parse(sample(shell), "sample.yaml");
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(read->front().start.command.back(), shell);
}

TEST(ScenarioError, MissingFileIsNamed) {
  const auto loaded = load("/nonexistent/scenario.yaml");
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, base::ErrorCode::kNotFound);
  EXPECT_THAT(loaded.error().message(), HasSubstr("/nonexistent/scenario.yaml"));
}

// --- The schema ----------------------------------------------------------------------------------------------------

using Json = nlohmann::json;

const Json& schema_document() {
  static const Json document = Json::parse(schema());
  return document;
}

// A YAML document as an editor sees it.
Json as_json(const YAML::Node& node) {
  Json json;
  if (node.IsMap()) {
    json = Json::object();
    for (const auto& entry : node) json[entry.first.Scalar()] = as_json(entry.second);
  } else if (node.IsSequence()) {
    json = Json::array();
    for (const auto& item : node) json.push_back(as_json(item));
  } else if (node.IsScalar()) {
    const std::string& text = node.Scalar();
    const bool plain = node.Tag() == "?";
    if (plain && is_number(text)) {
      json = text.find_first_of(".eE") == std::string::npos ? Json(std::stoll(text)) : Json(std::stod(text));
    } else if (plain && is_truth(text)) {
      json = text.front() == 't' || text.front() == 'T';
    } else if (!plain || !is_nothing(text)) {
      json = text;
    }
  }
  return json;
}

bool schema_accepts(const std::string& text) {
  return JsonSchema(schema_document()).accepts(as_json(YAML::Load(text)));
}

TEST(Schema, KnowsTheKeysThatTheParserKnows) {
  for (const auto& [section, keys] : known_keys()) {
    ASSERT_TRUE(schema_document()["definitions"].contains(section)) << section;
    std::vector<std::string> keys_of_schema;
    for (const auto& property : schema_document()["definitions"][section]["properties"].items()) {
      keys_of_schema.push_back(property.key());
    }
    EXPECT_THAT(keys, testing::UnorderedElementsAreArray(keys_of_schema)) << section;
  }
}

TEST(Schema, HasNoSectionThatTheParserLacks) {
  const auto sections = known_keys();
  for (const auto& definition : schema_document()["definitions"].items()) {
    if (!definition.value().contains("properties")) continue;
    EXPECT_EQ(sections.count(definition.key()), 1U) << definition.key();
  }
}

TEST(Schema, RefusesWhatTheParserRefuses) {
  EXPECT_TRUE(schema_accepts(kMinimal));
  for (const Bad& bad : kBadForm) EXPECT_FALSE(schema_accepts(kMinimal + bad.yaml)) << bad.yaml;
  for (const Bad& bad : kBadWhole) EXPECT_FALSE(schema_accepts(bad.yaml)) << bad.yaml;
}

TEST(Schema, NamesWhatTheParserNames) {
  const auto names_at = [](const char* pointer) {
    return schema_document().at(Json::json_pointer(pointer)).get<std::vector<std::string>>();
  };
  EXPECT_EQ(names_at("/definitions/pod/properties/platform/anyOf/0/enum"), platform_names());
  EXPECT_EQ(names_at("/definitions/action/properties/damage/anyOf/0/enum"), damage_names());
  EXPECT_EQ(names_at("/definitions/action/properties/trainer/anyOf/0/enum"), trainer_fault_names());
  EXPECT_EQ(names_at("/definitions/file-damage/properties/file/anyOf/0/enum"), file_damage_names());
  EXPECT_EQ(names_at("/definitions/disk-fault/properties/disk/anyOf/0/enum"), disk_fault_names());
  EXPECT_EQ(names_at("/definitions/gpu-fault/properties/gpu/anyOf/0/enum"), gpu_fault_names());
  EXPECT_EQ(names_at("/definitions/action/properties/nvidia-smi/anyOf/0/enum"), nvidia_smi_names());
  EXPECT_EQ(names_at("/definitions/user-edit/properties/kind/anyOf/0/enum"), edit_kind_names());
  EXPECT_EQ(names_at("/definitions/provider-fault/properties/fail/anyOf/1/enum"), provider_fault_names());
  EXPECT_EQ(names_at("/definitions/provider-fault/properties/api/anyOf/0/enum"), provider_api_names());
  EXPECT_EQ(names_at("/definitions/expect/properties/outcome/anyOf/0/enum"), outcome_names());
  EXPECT_EQ(names_at("/definitions/allowance/properties/oracle/anyOf/0/enum"), oracle_names());
}

TEST(Names, ArePlatformsThatHaveAPolicy) {
  Names policies;
  for (const auto& policy : pod::restart_policies()) policies.emplace_back(policy.name);
  EXPECT_EQ(platform_names(), policies);
}

// --- The scenarios of this project ---------------------------------------------------------------------------------

std::vector<fs::path> scenario_files(const std::string& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(fs::path(PROJECT_SOURCE_DIR) / folder)) {
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  }
  return files;
}

std::string content(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

void check_files(const std::string& folder, const std::string& schema_path) {
  const auto files = scenario_files(folder);
  EXPECT_FALSE(files.empty());
  for (const fs::path& file : files) {
    const std::string text = content(file);
    EXPECT_TRUE(text.starts_with("# yaml-language-server: $schema=" + schema_path + "\n")) << file;
    const auto scenarios = load(file.string());
    ASSERT_TRUE(scenarios) << scenarios.error().message();
    for (const Scenario& scenario : *scenarios) EXPECT_FALSE(scenario.story.empty()) << file;
    EXPECT_TRUE(schema_accepts(text)) << file;
  }
}

TEST(ScenarioFiles, ParseAndNameTheirSchema) {
  check_files("scenarios", "../harness/scenario/schema.json");
}

TEST(ScenarioFiles, TeethParseAndNameTheirSchema) {
  check_files("tests/teeth", "../../harness/scenario/schema.json");
}

TEST(ScenarioFiles, EveryOracleHasATooth) {
  Names caught;
  for (const fs::path& file : scenario_files("tests/teeth")) {
    const auto scenarios = load(file.string());
    ASSERT_TRUE(scenarios);
    for (const auto& [oracle, expectation] : scenarios->front().expect.oracles) {
      if (expectation != OracleExpectation::kPass) caught.push_back(oracle);
    }
  }
  for (const std::string& oracle : oracle_names()) EXPECT_THAT(caught, testing::Contains(oracle));
}

}  // namespace
}  // namespace scenario
