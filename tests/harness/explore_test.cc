#include "harness/explore/search/explore.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>

#include "base/random.h"
#include "harness/explore/search/draw.h"
#include "harness/explore/search/justify.h"
#include "harness/explore/search/shrink.h"
#include "harness/explore/search/trace.h"
#include "harness/explore/shard.h"
#include "harness/scenario/parse.h"
#include "harness/scenario/write.h"

namespace explore {
namespace {

namespace fs = std::filesystem;
using scenario::Scenario;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

Palette palette() {
  return {.base = std::nullopt, .shell_commands = {{"generation0", "true"}}};
}

TEST(Random, IsTheSameOnEveryMachine) {
  base::Random random(0);
  EXPECT_EQ(random.next(), 0xe220a8397b1dcdafU);
  EXPECT_EQ(random.next(), 0x6e789e6aa1b965f4U);
}

TEST(Draw, TheSameSeedDrawsTheSameWorlds) {
  for (int number = 0; number < 50; ++number) {
    EXPECT_EQ(draw(7, number, palette()).scenario, draw(7, number, palette()).scenario);
  }
  EXPECT_NE(draw(7, 0, palette()).scenario, draw(8, 0, palette()).scenario);
  EXPECT_NE(draw(7, 0, palette()).scenario, draw(7, 1, palette()).scenario);
}

TEST(Draw, EveryWorldCanBeWrittenAndRead) {
  std::set<std::size_t> actions;
  for (int number = 0; number < 500; ++number) {
    const Drawn drawn = draw(3, number, palette());
    const auto read = scenario::parse(scenario::write(drawn.scenario, ""), "drawn");
    ASSERT_TRUE(read) << read.error().message() << scenario::write(drawn.scenario, "");
    EXPECT_FALSE(drawn.scenario.timeline.empty());
    EXPECT_FALSE(drawn.options.empty());
    for (const auto& entry : drawn.scenario.timeline) actions.insert(entry.action.index());
  }
  EXPECT_EQ(actions.size(), std::variant_size_v<scenario::Action>) << "kinds of faults that are ever drawn";
}

TEST(Draw, ABaseGivesEveryWorldItsStartCommand) {
  Palette with_base = palette();
  with_base.base.emplace();
  with_base.base->start.command = {"bash", "-c", "exit 3"};
  for (int number = 0; number < 20; ++number) {
    EXPECT_EQ(draw(1, number, with_base).scenario.start.command.back(), "exit 3");
  }
}

// --- What is justified ---------------------------------------------------------------------------------------------

Scenario with(const scenario::Action& action) {
  Scenario scenario;
  scenario::Moment moment;
  moment.boot = 1;
  scenario.timeline.push_back({.when = moment, .action = action});
  return scenario;
}

oracle::ScenarioResult ended(scenario::Outcome outcome) {
  oracle::ScenarioResult result;
  result.judgement = oracle::Judgement::kPass;
  result.record.outcome = outcome;
  result.record.boots.emplace_back();
  return result;
}

TEST(Justify, AHoldNeedsACauseThatWasDrawn) {
  const auto held = ended(scenario::Outcome::kHeld);
  EXPECT_EQ(judge_drawn(with(scenario::KillContainer{}), held).standing, Standing::kFailed);
  EXPECT_THAT(judge_drawn(with(scenario::KillContainer{}), held).failures, ElementsAre("outcome"));
  EXPECT_EQ(judge_drawn(with(scenario::NetworkDown{std::chrono::seconds(5)}), held).standing, Standing::kFailed);
  EXPECT_EQ(judge_drawn(with(scenario::NetworkDown{}), held).standing, Standing::kGood);
  EXPECT_EQ(judge_drawn(with(scenario::TrainerFault{}), held).standing, Standing::kGood);
}

TEST(Justify, OnlyAFinishedTrainingNeedsNone) {
  const Scenario scenario = with(scenario::TrainerFault{});
  EXPECT_EQ(judge_drawn(scenario, ended(scenario::Outcome::kCompleted)).standing, Standing::kGood);
  for (const auto outcome : {scenario::Outcome::kExited, scenario::Outcome::kRunning, scenario::Outcome::kLooped}) {
    EXPECT_EQ(judge_drawn(scenario, ended(outcome)).standing, Standing::kFailed);
  }
}

TEST(Justify, DamageThatNoBootSawIsNobodysToMend) {
  auto result = ended(scenario::Outcome::kCompleted);
  result.findings.push_back({"checkout-sound", oracle::Judgement::kFail, "no .git"});
  pod::Event damage;
  damage.kind = pod::EventKind::kFault;
  damage.text = "damage to .git: git-gone";
  damage.at = std::chrono::seconds(50);
  result.record.events.push_back(damage);
  const Scenario scenario = with(scenario::GitDamage{"git-gone"});
  EXPECT_EQ(judge_drawn(scenario, result).standing, Standing::kGood);
  result.record.boots.emplace_back();
  result.record.boots.back().start = std::chrono::seconds(60);
  EXPECT_EQ(judge_drawn(scenario, result).standing, Standing::kFailed);
  result.record.boots.front().number = 1;
  result.record.boots.back().number = 2;
  result.record.attempts.push_back({.boot = 1, .start = std::chrono::seconds(55), .finished = true});
  EXPECT_EQ(judge_drawn(scenario, result).standing, Standing::kGood) << "a finished run needs no checkout";
  result.record.attempts.back().boot = 2;
  EXPECT_EQ(judge_drawn(scenario, result).standing, Standing::kFailed);
}

TEST(Justify, AJustifiedHoldMayLeaveACheckoutThatCouldNotBeMended) {
  auto result = ended(scenario::Outcome::kHeld);
  result.findings.push_back({"checkout-sound", oracle::Judgement::kFail, "no .git"});
  EXPECT_EQ(judge_drawn(with(scenario::NetworkDown{}), result).standing, Standing::kGood);
  EXPECT_EQ(judge_drawn(with(scenario::KillContainer{}), result).standing, Standing::kFailed);
}

TEST(Justify, AnOracleThatFailsOrCannotTellDecides) {
  auto result = ended(scenario::Outcome::kCompleted);
  result.findings.push_back({"timeline", oracle::Judgement::kUnknown, "never came to pass"});
  EXPECT_EQ(judge_drawn(with(scenario::KillContainer{}), result).standing, Standing::kGood);
  result.findings.push_back({"coverage", oracle::Judgement::kUnknown, "unseen"});
  EXPECT_EQ(judge_drawn(with(scenario::KillContainer{}), result).standing, Standing::kUnknown);
  result.findings.push_back({"work-preserved", oracle::Judgement::kFail, "gone"});
  EXPECT_THAT(judge_drawn(with(scenario::KillContainer{}), result).failures, ElementsAre("work-preserved"));
}

scenario::TimelineEntry at_boot(const scenario::Action& action) {
  return with(action).timeline.front();
}

// What is drawn where somebody comes back and says resume so often.
Scenario released(const scenario::Action& action, int resumes) {
  Scenario scenario = with(action);
  for (int i = 0; i < resumes; ++i) {
    scenario.timeline.push_back(at_boot(scenario::Exec{{"podlaunch", "resume"}}));
    scenario.timeline.back().when = {};
    scenario.timeline.back().when.log = "^podlaunch: hold: what to do";
  }
  return scenario;
}

TEST(Justify, AHoldIsNoEndWhereItsCauseIsGoneAndSomebodySaysResume) {
  const auto held = ended(scenario::Outcome::kHeld);
  const auto standing = [&](const Scenario& scenario) { return judge_drawn(scenario, held).standing; };
  const scenario::DiskFault full{
      .kind = scenario::DiskFaultKind::kFull, .disk = "/workspace", .lasting = std::chrono::minutes(9)};
  EXPECT_EQ(standing(released(full, 2)), Standing::kFailed);
  EXPECT_EQ(standing(released(full, 1)), Standing::kGood) << "nobody came after the second hold";
  EXPECT_EQ(standing(released(scenario::DiskFault{.kind = full.kind, .disk = full.disk}, 2)), Standing::kGood)
      << "for good";
  EXPECT_EQ(standing(released(scenario::FileDamage{}, 2)), Standing::kGood) << "checkpoints do not come back";
  EXPECT_EQ(standing(released(scenario::TrainerFault{}, 2)), Standing::kFailed);
  Scenario too_early = released(scenario::TrainerFault{scenario::TrainerFaultKind::kExitZero}, 2);
  EXPECT_EQ(standing(too_early), Standing::kGood) << "exit 0 is what finished means";
  too_early.start.command = {"podlaunch", "--done-when", "file:final.json"};
  EXPECT_EQ(standing(too_early), Standing::kFailed);
  Scenario every = released(scenario::TrainerFault{}, 2);
  every.timeline.front().when.every = true;
  EXPECT_EQ(standing(every), Standing::kGood);
}

TEST(Justify, ALostGpuAndASpoiltTemplateAreMendedByANewContainer) {
  const auto held = ended(scenario::Outcome::kHeld);
  Scenario lost = released(scenario::GpuFault{}, 2);
  EXPECT_EQ(judge_drawn(lost, held).standing, Standing::kGood);
  lost.timeline.push_back(at_boot(scenario::RecreatePod{}));
  EXPECT_EQ(judge_drawn(lost, held).standing, Standing::kFailed);

  Scenario changed = released(scenario::EnvironmentChange{{{"PODLAUNCH_UPDATE", "sometimes"}}}, 3);
  changed.timeline.push_back(at_boot(scenario::EnvironmentChange{{{"PODLAUNCH_UPDATE", std::nullopt}}}));
  EXPECT_EQ(judge_drawn(changed, held).standing, Standing::kGood) << "no container has it yet";
  changed.timeline.push_back(at_boot(scenario::RecreatePod{}));
  EXPECT_EQ(judge_drawn(changed, held).standing, Standing::kFailed);
}

TEST(Justify, AForgottenSecretIsACauseUntilItIsSet) {
  const auto held = ended(scenario::Outcome::kHeld);
  Scenario forgotten = released(scenario::KillContainer{}, 2);
  forgotten.start.command = {"podlaunch", "--secret", "WANDB_API_KEY"};
  EXPECT_EQ(judge_drawn(forgotten, held).standing, Standing::kGood);
  forgotten.timeline.push_back(at_boot(scenario::EnvironmentChange{{{"WANDB_API_KEY", "0b5c1f4e"}}}));
  forgotten.timeline.push_back(at_boot(scenario::RecreatePod{}));
  EXPECT_EQ(judge_drawn(forgotten, held).standing, Standing::kFailed);
}

TEST(Justify, APodIsStoppedWhereThatWasAskedForOrAHoldCostsMoney) {
  auto stopped = ended(scenario::Outcome::kStopped);
  auto completed = ended(scenario::Outcome::kCompleted);
  for (auto* result : {&stopped, &completed}) result->record.attempts.push_back({.finished = true});
  Scenario scenario = with(scenario::KillContainer{});
  EXPECT_EQ(judge_drawn(scenario, stopped).standing, Standing::kFailed) << "nobody asked";
  scenario.provider.emplace();
  EXPECT_EQ(wanted_outcome(scenario), scenario::Outcome::kCompleted);
  scenario.start.command = {"podlaunch", "--on-complete", "stop-pod"};
  EXPECT_EQ(wanted_outcome(scenario), scenario::Outcome::kStopped);
  EXPECT_EQ(judge_drawn(scenario, stopped).standing, Standing::kGood);
  EXPECT_EQ(judge_drawn(scenario, completed).standing, Standing::kFailed) << "and was not stopped";
  Scenario wrong_clock = scenario;
  wrong_clock.timeline.push_back(at_boot(scenario::ClockJump{std::chrono::hours(-9600)}));
  EXPECT_EQ(judge_drawn(wrong_clock, completed).standing, Standing::kGood) << "no certificate is valid then";
  stopped.record.attempts.clear();
  EXPECT_EQ(judge_drawn(scenario, stopped).standing, Standing::kFailed) << "unfinished, without a cause to hold";
  scenario.timeline.push_back(at_boot(scenario::TrainerFault{}));
  EXPECT_EQ(judge_drawn(scenario, stopped).standing, Standing::kGood);
}

TEST(Justify, WorkOnADiskThatSomebodyTakesAwayIsLostWithIt) {
  auto result = ended(scenario::Outcome::kCompleted);
  result.findings.push_back({"work-preserved", oracle::Judgement::kFail, "lost: local edit of README.md (/workspace)"});
  pod::Event edit;
  edit.kind = pod::EventKind::kFault;
  edit.text = "the user edits README.md";
  edit.at = std::chrono::seconds(50);
  result.record.events.push_back(edit);
  result.record.boots.front().end = std::chrono::seconds(60);
  Scenario scenario = with(scenario::SpotInterrupt{});
  scenario.pod.disks = {{.mount_path = "/workspace/outputs"}};
  EXPECT_EQ(judge_drawn(scenario, result).standing, Standing::kFailed) << "nobody took the pod away";
  result.record.boots.front().ended_by = pod::BootEnd::kInterrupted;
  EXPECT_EQ(judge_drawn(scenario, result).standing, Standing::kGood);
  result.record.events.push_back(edit);
  result.record.events.back().text = "the user writes notes-1.md";
  result.record.events.back().at = std::chrono::seconds(70);
  EXPECT_EQ(judge_drawn(scenario, result).standing, Standing::kGood) << "what came later is not what is lost";
  result.record.boots.front().end = std::chrono::seconds(40);
  EXPECT_EQ(judge_drawn(scenario, result).standing, Standing::kFailed) << "the work came later";
  result.record.boots.front().end = std::chrono::seconds(60);
  scenario.pod.disks = {{.mount_path = "/workspace"}};
  EXPECT_EQ(judge_drawn(scenario, result).standing, Standing::kFailed) << "the checkout's disk stays";
}

TEST(Justify, AFinishedRunNeedsNoCheckoutInANewContainer) {
  auto result = ended(scenario::Outcome::kCompleted);
  result.findings.push_back({"checkout-sound", oracle::Judgement::kFail, "there is no checkout any more"});
  result.record.attempts.push_back({.end = std::chrono::seconds(80), .finished = true});
  result.record.boots.front().ended_by = pod::BootEnd::kRecreated;
  result.record.boots.front().end = std::chrono::seconds(90);
  Scenario scenario = with(scenario::RecreatePod{});
  scenario.pod.disks = {{.mount_path = "/workspace/outputs"}};
  EXPECT_EQ(judge_drawn(scenario, result).standing, Standing::kGood);
  result.record.attempts.back().end = std::chrono::seconds(100);
  EXPECT_EQ(judge_drawn(scenario, result).standing, Standing::kFailed) << "it was there in the last container, too";
}

TEST(Justify, WhereEveryAttemptFailsAnOlderCheckpointMayBeTried) {
  auto result = ended(scenario::Outcome::kHeld);
  result.findings.push_back(
      {"training-resumes", oracle::Judgement::kFail, "began at step 20, although a checkpoint lay"});
  Scenario scenario = with(scenario::TrainerFault{});
  EXPECT_EQ(judge_drawn(scenario, result).standing, Standing::kFailed);
  scenario.timeline.front().when.every = true;
  EXPECT_EQ(judge_drawn(scenario, result).standing, Standing::kGood);
  result.findings.back().text = "the weights differ";
  EXPECT_EQ(judge_drawn(scenario, result).standing, Standing::kFailed);
}

TEST(Justify, WhereThreeBootsWereKilledWithinAMinuteAnOlderCheckpointMayBeTried) {
  auto result = ended(scenario::Outcome::kCompleted);
  result.findings.push_back(
      {"training-resumes", oracle::Judgement::kFail, "began at step 30, although a checkpoint lay"});
  result.record.boots.clear();
  const base::WaitStatus killed{base::WaitStatus::Kind::kSignaled, SIGKILL};
  for (int number = 1; number <= 3; ++number) {
    result.record.boots.emplace_back();
    result.record.boots.back().number = number;
    result.record.boots.back().ended_by = pod::BootEnd::kKilled;
    result.record.boots.back().status = killed;
    result.record.attempts.push_back({.boot = number, .end = std::chrono::seconds(50)});
  }
  const Scenario scenario = with(scenario::KillContainer{});
  EXPECT_EQ(judge_drawn(scenario, result).standing, Standing::kGood);
  result.record.attempts[1].end = std::chrono::seconds(70);
  EXPECT_EQ(judge_drawn(scenario, result).standing, Standing::kFailed) << "the second got further";
  result.record.attempts[1].end = std::chrono::seconds(50);
  result.record.boots.pop_back();
  EXPECT_EQ(judge_drawn(scenario, result).standing, Standing::kFailed) << "only two";
}

// --- Making smaller ------------------------------------------------------------------------------------------------

Scenario drawn_with_many_entries() {
  Scenario scenario = draw(1, 0, palette()).scenario;
  scenario.timeline.clear();
  for (int step = 1; step <= 20; ++step) {
    scenario::Moment moment;
    moment.step = step;
    scenario.timeline.push_back({.when = moment, .action = scenario::KillContainer{}});
  }
  return scenario;
}

std::vector<int> steps_of(const Scenario& scenario) {
  std::vector<int> steps;
  for (const auto& entry : scenario.timeline) steps.push_back(*entry.when.step);
  return steps;
}

TEST(Shrink, LeavesTheStepsThatTheFailureNeeds) {
  const auto fails = [](const Scenario& one) {
    const auto steps = steps_of(one);
    return std::ranges::count(steps, 3) == 1 && std::ranges::count(steps, 17) == 1;
  };
  const Shrunk shrunk = shrink(drawn_with_many_entries(), fails, 1000);
  EXPECT_TRUE(shrunk.complete);
  EXPECT_THAT(steps_of(shrunk.scenario), ElementsAre(3, 17));
  EXPECT_LE(shrunk.plays, 60);
}

TEST(Shrink, BringsOptionsToWhatTheyUsuallyAre) {
  Scenario scenario = drawn_with_many_entries();
  scenario.pod.platform = "podman";
  scenario.pod.disks = {{.mount_path = "/workspace/outputs", .kind = scenario::DiskKind::kNetworkVolume}};
  const auto fails = [](const Scenario& one) {
    return one.pod.disks.front().kind == scenario::DiskKind::kNetworkVolume && !one.timeline.empty();
  };
  const Shrunk shrunk = shrink(scenario, fails, 1000);
  EXPECT_EQ(shrunk.scenario.pod.platform, "runpod");
  EXPECT_EQ(shrunk.scenario.pod.disks.front().kind, scenario::DiskKind::kNetworkVolume);
  EXPECT_EQ(shrunk.scenario.timeline.size(), 1U);
}

TEST(Shrink, StopsWhenItsPlaysAreUsedUp) {
  int plays = 0;
  const auto fails = [&](const Scenario&) { return ++plays % 3 == 0; };
  EXPECT_LE(shrink(drawn_with_many_entries(), fails, 5).plays, 5);
  EXPECT_LE(plays, 5);
}

// --- The trace -----------------------------------------------------------------------------------------------------

oracle::ScenarioResult played(int best, const std::string& said, const std::string& said_later) {
  auto result = ended(scenario::Outcome::kCompleted);
  result.record.boots.back().best_step_after = best;
  for (const auto& text : {said, said_later}) {
    pod::Event event;
    event.kind = pod::EventKind::kPhase;
    event.text = text;
    result.record.events.push_back(event);
  }
  return result;
}

TEST(Trace, LeavesOutTimesNumbersAndOrder) {
  const Scenario scenario = with(scenario::KillContainer{});
  const auto one = trace_of(scenario, played(5, "phase decide: boot 1", "phase retry: in 12 s"));
  EXPECT_EQ(trace_of(scenario, played(5, "phase retry: in 9 s", "phase decide: boot 1")), one);
  EXPECT_NE(trace_of(scenario, played(6, "phase decide: boot 1", "phase retry: in 12 s")), one);
  EXPECT_NE(trace_of(scenario, played(5, "phase decide: boot 1", "phase hold: in 12 s")), one);
}

// --- Shards --------------------------------------------------------------------------------------------------------

base::Result<Shard> shard_of(const std::string& option, std::map<std::string, std::string> variables) {
  return find_shard(option, [variables](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  });
}

TEST(Shards, AreTogetherTheWhole) {
  std::vector<int> whole(23);
  for (int i = 0; i < 23; ++i) whole[static_cast<std::size_t>(i)] = i;
  for (int count = 1; count <= 30; ++count) {
    std::multiset<int> together;
    for (int index = 1; index <= count; ++index) {
      const auto shard = shard_of(std::to_string(index) + "/" + std::to_string(count), {});
      ASSERT_TRUE(shard);
      for (const int piece : shard->part_of(whole)) together.insert(piece);
    }
    EXPECT_EQ(together, std::multiset<int>(whole.begin(), whole.end())) << count;
  }
}

TEST(Shards, AreKnownByTheirVariables) {
  EXPECT_EQ(shard_of("", {})->count, 1);
  const auto bazel =
      shard_of("", {{"TEST_SHARD_INDEX", "2"}, {"TEST_TOTAL_SHARDS", "5"}, {"TEST_SHARD_STATUS_FILE", "f"}});
  EXPECT_EQ(bazel->index, 2);
  EXPECT_EQ(bazel->count, 5);
  EXPECT_EQ(bazel->status_file, "f");
  EXPECT_EQ(shard_of("", {{"GTEST_SHARD_INDEX", "0"}, {"GTEST_TOTAL_SHARDS", "3"}})->count, 3);
  EXPECT_EQ(shard_of("", {{"JOB_COMPLETION_INDEX", "3"}, {"JOB_COMPLETIONS", "4"}})->index, 3);
  EXPECT_EQ(shard_of("", {{"JOB_COMPLETION_INDEX", "3"}})->count, 1);
  EXPECT_EQ(shard_of("1/2", {{"TEST_SHARD_INDEX", "2"}, {"TEST_TOTAL_SHARDS", "5"}})->count, 2);
}

TEST(Shards, AreRefusedWhereTheyMeanNothing) {
  for (const char* option : {"0/2", "3/2", "2", "a/b", "1/0", "1/2x", "-1/2"})
    EXPECT_FALSE(shard_of(option, {})) << option;
  EXPECT_FALSE(shard_of("", {{"TEST_SHARD_INDEX", "2"}}));
  EXPECT_FALSE(shard_of("", {{"GTEST_SHARD_INDEX", "5"}, {"GTEST_TOTAL_SHARDS", "5"}}));
}

// --- The program ---------------------------------------------------------------------------------------------------

class ExploreProgram : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "explore_test.XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  void TearDown() override { fs::remove_all(folder_); }

  // Everything that it prints, and its exit status at the end.
  std::string simrun(const std::string& arguments, const std::string& variables = "") const {
    return run(PROJECT_BIN_DIR "/simrun " + arguments, variables);
  }
  std::string run(const std::string& words, const std::string& variables = "") const {
    const std::string command = "cd " + folder_.string() + " && " + variables + " timeout 100 " + words + " 2>&1";
    std::string text;
    FILE* pipe = ::popen(command.c_str(), "r");
    std::array<char, 4096> buffer{};
    for (std::size_t count = 0; (count = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
      text.append(buffer.data(), count);
    }
    return text + "exit " + std::to_string(WEXITSTATUS(::pclose(pipe)));
  }

  static std::string last_line_with(const std::string& text, const std::string& word) {
    std::istringstream lines(text);
    std::string found;
    for (std::string line; std::getline(lines, line);) {
      if (line.find(word) != std::string::npos) found = line;
    }
    return found;
  }

  void place(const std::string& file, const std::string& content) const { std::ofstream(folder_ / file) << content; }

  fs::path folder_;
};

TEST_F(ExploreProgram, FindsACommandThatLoopsAndKeepsASmallScenario) {
  place(
      "base.yaml",
      "name: planted\nstart:\n  shell: \"cd /workspace && git clone -q -b DL4Math "
      "https://github.com/nexthybrid/AReaL.git && cd AReaL && bash examples/cloud_gsm8k/run_training_cloud.sh 1hour && "
      "sleep infinity\"\n");
  const std::string found = simrun("explore --seed 10 --worlds 1 --base base.yaml --shrink-plays 4");
  EXPECT_THAT(found, HasSubstr("never-loops")) << found;
  const auto saved = scenario::load(folder_ / "explore_10_0.yaml");
  ASSERT_TRUE(saved) << found;
  EXPECT_EQ(saved->front().timeline.size(), 1U);
  EXPECT_THAT(simrun("explore_10_0.yaml"), HasSubstr("never-loops fails"));
}

TEST_F(ExploreProgram, FindsACommandThatDeletesWorkAndKeepsASmallScenario) {
  place(
      "base.yaml",
      "name: planted\nstart:\n  shell: \"cd /workspace && rm -rf AReaL && git clone -q -b DL4Math "
      "https://github.com/nexthybrid/AReaL.git && cd AReaL && bash examples/cloud_gsm8k/run_training_cloud.sh 1hour && "
      "sleep infinity\"\n");
  const std::string found = simrun("explore --seed 10 --worlds 1 --base base.yaml --shrink-plays 3");
  EXPECT_THAT(found, HasSubstr("work-preserved")) << found;
  const auto saved = scenario::load(folder_ / "explore_10_0.yaml");
  ASSERT_TRUE(saved) << found;
  EXPECT_LE(saved->front().timeline.size(), 3U);
  EXPECT_THAT(simrun("explore_10_0.yaml"), HasSubstr("work-preserved fails"));
}

// --- The command line ----------------------------------------------------------------------------------------------

TEST_F(ExploreProgram, ASlipInACommandOrAFlagIsAnsweredWithTheNearestName) {
  EXPECT_THAT(simrun("sweeep one.yaml"),
              AllOf(HasSubstr("no command and no file. Did you mean sweep?"), HasSubstr("exit 3")));
  EXPECT_THAT(simrun("no_such_thing.yaml"), HasSubstr("read the scenario"));
  place("one.yaml", "name: one\nstart: {shell: \"true\"}\n");
  const std::map<std::string, std::string> slips{{"one.yaml --kep", "--keep"},
                                                 {"check one.yaml --hlep", "--help"},
                                                 {"sweep one.yaml --kind kill", "--kinds"},
                                                 {"explore --sed 4", "--seed"},
                                                 {"merge a.json --jsn b", "--json"},
                                                 {"replay case --lgo", "--log"},
                                                 {"prove --tooths", "--tooth"},
                                                 {"new a.yaml --shel=true", "--shell"},
                                                 {"list --hepl", "--help"},
                                                 {"doctor --hepl", "--help"},
                                                 {"schema --hepl", "--help"}};
  for (const auto& [words, flag] : slips)
    EXPECT_THAT(simrun(words), AllOf(HasSubstr("Did you mean " + flag + "?"), HasSubstr("exit 3"))) << words;
}

TEST_F(ExploreProgram, HelpNeedsNoFixtures) {
  fs::copy_file(PROJECT_BIN_DIR "/simrun", folder_ / "lonely");
  for (const char* command :
       {"", "check", "list", "new", "sweep", "replay", "prove", "schema", "explore", "merge", "doctor"}) {
    const std::string text = run(std::string("./lonely ") + command + " --help");
    EXPECT_THAT(text, AllOf(HasSubstr("--help"), HasSubstr("exit 0"))) << command;
  }
  place("one.yaml", "name: one\nstart: {shell: \"true\"}\n");
  EXPECT_THAT(run("./lonely check one.yaml"), HasSubstr("exit 0"));
  EXPECT_THAT(run("./lonely one.yaml"), AllOf(HasSubstr("find the fixtures"), HasSubstr("exit 3")));
}

TEST_F(ExploreProgram, WhatIsNoFileOfItsKindIsRefusedAtOnce) {
  place("zeros.yaml", std::string(100, '\0'));
  ASSERT_EQ(::mkfifo((folder_ / "pipe.yaml").c_str(), 0600), 0);
  fs::create_directory(folder_ / "folder.json");
  std::ofstream(folder_ / "large.yaml") << std::string((1U << 20) + 1, '#');
  fs::resize_file(folder_ / "large.yaml", std::uintmax_t{1} << 40);  // sparse
  const std::map<std::string, std::string> refusals{{"/dev/zero", "no regular file"},
                                                    {"pipe.yaml", "no regular file"},
                                                    {"zeros.yaml", "zero bytes"},
                                                    {"large.yaml", "larger than"},
                                                    {"nowhere.yaml", "No such file"}};
  for (const auto& [file, why] : refusals) {
    for (const char* command : {"check", "", "explore --base", "sweep", "replay", "merge"})
      EXPECT_THAT(simrun(std::string(command) + " " + file), AllOf(HasSubstr(why), HasSubstr("exit 3"))) << command;
  }
  EXPECT_THAT(simrun("merge folder.json"), HasSubstr("it is a folder"));
  EXPECT_THAT(simrun("replay folder.json"), HasSubstr("it is a folder"));
}

TEST_F(ExploreProgram, HostileTextsAreRefusedInWords) {
  const std::string start = "name: x\nstart: {shell: \"true\"}\n";
  const std::map<std::string, std::string> refusals{
      {start + "files: {/../../tmp/planted: {content: x}}\n", "is no plain path"},
      {"name: x\nstart: {shell: \"a\\0b\"}\n", "zero byte"},
      {"name: " + std::string(200'000, '['), "not YAML"},
      {"name: " + std::string(1000, '[') + std::string(1000, ']'), "not YAML"},
      {start + "name: y\n", "twice"},
      {start + "trainer: {steps: .nan}\n", "trainer.steps"},
      {start + "trainer: {steps: 99999999999999999999}\n", "trainer.steps"},
      {start + "timeline: [{when: {at: -5s}, do: kill-container}]\n", ".at"},
      {start + "for-each: {a: [1, 2], b: &b [x, x, x, x, x, x, x, x, x, x], c: *b, d: *b, e: *b}\n", "makes more than"},
      {"&r\nname: x\nstart: *r\n", "not a known key"}};
  for (const auto& [text, why] : refusals) {
    place("hostile.yaml", text);
    EXPECT_THAT(simrun("check hostile.yaml"), AllOf(HasSubstr(why), HasSubstr("exit 3"))) << text.substr(0, 200);
  }
  place("deep.json", std::string(1'000'000, '[') + std::string(1'000'000, ']'));
  EXPECT_THAT(simrun("merge deep.json"), AllOf(HasSubstr("nested too deeply"), HasSubstr("exit 3")));
  place("wrong.json", "{\"search\": {\"seed\": []}}");
  EXPECT_THAT(simrun("merge wrong.json"), HasSubstr("exit 3"));
  place("wrong.json", R"({"scenario": "x", "variant": 3, "fault": {}})");
  EXPECT_THAT(simrun("replay wrong.json"), HasSubstr("is no case"));
}

// Scenarios that are over at once: what is tested is who plays which.
TEST_F(ExploreProgram, ShardsPlayedApartAreTogetherTheWhole) {
  place("many.yaml",
        "name: many\nstory: s\nfor-each: {n: [a, b, c, d, e]}\npod: {platform: none}\nstart: {shell: \"echo ${n}\"}\n"
        "trainer: {steps: 1}\nexpect: {outcome: exited}\n");
  std::string reports;
  for (int index = 0; index < 3; ++index) {
    const std::string name = "part" + std::to_string(index) + ".json";
    const std::string played =
        simrun("many.yaml --json " + name,
               "TEST_TOTAL_SHARDS=3 TEST_SHARD_INDEX=" + std::to_string(index) + " TEST_SHARD_STATUS_FILE=status");
    EXPECT_THAT(played, HasSubstr("exit 0"));
    reports += name + " ";
  }
  EXPECT_TRUE(fs::exists(folder_ / "status"));
  const std::string merged = simrun("merge " + reports + "--json all.json --junit all.xml");
  EXPECT_THAT(merged, HasSubstr("3 reports, 5 scenarios, 5 passed"));
  EXPECT_THAT(merged, HasSubstr("exit 0"));
  std::ifstream file(folder_ / "all.xml");
  const std::string junit{std::istreambuf_iterator<char>(file), {}};
  for (const char* variant : {"n=a", "n=b", "n=c", "n=d", "n=e"}) EXPECT_THAT(junit, HasSubstr(variant));
  EXPECT_THAT(simrun("merge part0.json part0.json"), HasSubstr("is in two reports"));
  EXPECT_THAT(simrun("merge part0.json many.yaml"), HasSubstr("no JSON report"));
}

TEST_F(ExploreProgram, AnEmptyShardIsUnderstoodAndPasses) {
  place("one.yaml",
        "name: one\nstory: s\npod: {platform: none}\nstart: {shell: \"true\"}\nexpect: {outcome: exited}\n");
  const std::string played = simrun("one.yaml", "TEST_TOTAL_SHARDS=4 TEST_SHARD_INDEX=3 TEST_SHARD_STATUS_FILE=status");
  EXPECT_THAT(played, HasSubstr("exit 0"));
  EXPECT_TRUE(fs::exists(folder_ / "status"));
}

// Every world is played twice: once beside another one, once in a shard of its own.
TEST_F(ExploreProgram, TheSameSeedLeavesTheSameTraceHoweverItIsDivided) {
  const std::string whole = simrun("explore --seed 7 --worlds 2 -j 2");
  EXPECT_THAT(whole, HasSubstr("exit 0"));
  EXPECT_THAT(last_line_with(whole, "trace"), HasSubstr("seed 7, trace "));
  for (int index = 1; index <= 2; ++index) {
    const std::string part = std::to_string(index);
    (void)simrun("explore --seed 7 --worlds 2 -j 1 --shard " + part + "/2 --json part" + part + ".json");
  }
  const std::string trace = last_line_with(whole, "trace").substr(std::string("seed 7, ").size());
  EXPECT_THAT(simrun("merge part2.json part1.json"), HasSubstr("2 worlds of 2, seed 7, " + trace));
  EXPECT_THAT(simrun("merge part1.json"), HasSubstr("exit 2"));
}

}  // namespace
}  // namespace explore
