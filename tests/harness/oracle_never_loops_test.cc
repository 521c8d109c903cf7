#include <gmock/gmock.h>

#include "tests/harness/oracle_world.h"

namespace oracle {
namespace {

using pod::ObservationKind;
using ::testing::HasSubstr;

Verdict never_loops_of(const pod::WorldRecord& record, const scenario::Scenario& scenario = {}) {
  return ask("never-loops", scenario, record);
}

// Every boot finds the folder in its way and leaves a line in a log that it does not read.
pod::WorldRecord naive_clone(int boots) {
  auto record = failing_boots(boots);
  for (auto& boot : record.boots) {
    boot.trace.read_set = {{"/workspace/AReaL", ObservationKind::kStat}, {"/workspace", ObservationKind::kListing}};
    boot.trace.changed = {"/workspace/loop.log"};
    boot.trace.answers = {"GET info/refs 200"};
  }
  return record;
}

TEST(NeverLoops, TwoBootsThatReadAndLeaveTheSameAreProven) {
  const auto verdict = never_loops_of(naive_clone(3));
  EXPECT_EQ(verdict.status, Status::kFail);
  EXPECT_TRUE(verdict.proven);
  EXPECT_THAT(verdict.reason, HasSubstr("boots 1 and 2 looked at the same"));
  EXPECT_THAT(verdict.reason, HasSubstr("17 s apart"));
  EXPECT_FALSE(verdict.assumptions.empty());
}

TEST(NeverLoops, ProofStartsAfterAFirstBootThatWentDifferently) {
  auto record = naive_clone(3);
  record.boots[0].trace.read_set.emplace("/workspace/AReaL/.git", ObservationKind::kAbsent);
  EXPECT_THAT(never_loops_of(record).reason, HasSubstr("boots 2 and 3 looked at the same"));
}

// What keeps boots that all fail from being a proof, done to each of them.
struct Difference {
  const char* name;
  void (*make)(pod::Boot&);
};

class NoProof : public ::testing::TestWithParam<Difference> {
 protected:
  static pod::WorldRecord boots(int count) {
    auto record = naive_clone(count);
    for (auto& boot : record.boots) GetParam().make(boot);
    return record;
  }
};

TEST_P(NoProof, FewBootsLeaveItOpen) {
  const auto verdict = never_loops_of(boots(4));
  EXPECT_EQ(verdict.status, Status::kUnknown) << verdict.reason;
}

TEST_P(NoProof, ManyBootsAreObserved) {
  const auto verdict = never_loops_of(boots(5));
  EXPECT_EQ(verdict.status, Status::kFail) << verdict.reason;
  EXPECT_FALSE(verdict.proven) << verdict.reason;
  EXPECT_THAT(verdict.reason, HasSubstr("Observed, not proven"));
}

INSTANTIATE_TEST_SUITE_P(
    Differences, NoProof,
    ::testing::Values(
        Difference{"ReadSet",
                   [](pod::Boot& boot) {
                     boot.trace.read_set.emplace("/tmp/trial-" + std::to_string(boot.number), ObservationKind::kAbsent);
                   }},
        Difference{"KindOfReading",
                   [](pod::Boot& boot) {
                     const auto kind = boot.number % 2 == 0 ? ObservationKind::kStat : ObservationKind::kContent;
                     boot.trace.read_set.emplace("/workspace/AReaL/setup.py", kind);
                   }},
        Difference{
            "NetworkAnswer",
            [](pod::Boot& boot) { boot.trace.answers = {"GET info/refs " + std::to_string(500 + boot.number)}; }},
        Difference{"ExitStatus", [](pod::Boot& boot) { boot.status.value = boot.number; }},
        Difference{"OwnReadingChanged", [](pod::Boot& boot) { boot.trace.changed.insert("/workspace/AReaL"); }},
        Difference{"FolderAboveItsReadingChanged", [](pod::Boot& boot) { boot.trace.changed.insert("/workspace"); }},
        Difference{"OwnListingChanged", [](pod::Boot& boot) { boot.trace.listing_changed.insert("/workspace"); }},
        Difference{"SomethingUnobserved", [](pod::Boot& boot) { boot.trace.unobserved = {"io_uring"}; }}),
    [](const auto& difference) { return difference.param.name; });

TEST(NeverLoops, ABootThatLeavesAsideWhatTheOneBeforeChangedIsProof) {
  auto record = naive_clone(3);
  record.boots[0].trace.changed.insert("/workspace/AReaL");
  EXPECT_TRUE(never_loops_of(record).proven);
}

TEST(NeverLoops, AFileThatTheBootCreatesWhereItSawNoneIsNoProof) {
  auto record = naive_clone(2);
  for (auto& boot : record.boots) {
    boot.trace.read_set.emplace("/workspace/count", ObservationKind::kAbsent);
    boot.trace.changed.insert("/workspace/count");
  }
  EXPECT_FALSE(never_loops_of(record).proven);
}

TEST(NeverLoops, AListingThatNobodyReadMayChange) {
  auto record = naive_clone(2);
  for (auto& boot : record.boots) boot.trace.listing_changed = {"/workspace/logs"};
  EXPECT_TRUE(never_loops_of(record).proven);
}

TEST(NeverLoops, ALaterBootThatGotFurtherRefutesTheProof) {
  auto record = naive_clone(3);
  record.boots[2].best_step_after = 20;
  const auto verdict = never_loops_of(record);
  EXPECT_EQ(verdict.status, Status::kPass) << verdict.reason;
}

TEST(NeverLoops, FourIdleBootsAreNoLoopYet) {
  auto record = failing_boots(4);
  for (auto& boot : record.boots) boot.trace.unobserved = {"io_uring"};
  record.boots.push_back(failing_boot(5));
  record.boots.back().best_step_after = 20;
  EXPECT_EQ(never_loops_of(record).status, Status::kPass);
}

TEST(NeverLoops, BootsThatTheTimelineDisturbedDoNotCount) {
  auto record = naive_clone(8);
  for (auto& boot : record.boots) boot.disturbed = true;
  EXPECT_EQ(never_loops_of(record).status, Status::kPass);
}

TEST(NeverLoops, InterruptedBootsDoNotCount) {
  auto record = naive_clone(8);
  for (auto& boot : record.boots) boot.ended_by = pod::BootEnd::kInterrupted;
  EXPECT_EQ(never_loops_of(record).status, Status::kPass);
}

TEST(NeverLoops, ProgressInEveryBootIsNoLoop) {
  auto record = naive_clone(8);
  for (auto& boot : record.boots) {
    boot.best_step_before = 20 * boot.number;
    boot.best_step_after = 20 * boot.number + 20;
  }
  EXPECT_EQ(never_loops_of(record).status, Status::kPass);
}

TEST(NeverLoops, AFinishedTrainingRunAgainAndAgainIsALoop) {
  auto record = failing_boots(6);
  for (auto& boot : record.boots) {
    boot.status.value = 0;
    boot.best_step_before = boot.number == 1 ? 0 : 200;
    boot.best_step_after = 200;
    boot.trace.unobserved = {"io_uring"};
    record.attempts.push_back({boot.number, boot.start, boot.end, 0, 200, true});
  }
  const auto verdict = never_loops_of(record);
  EXPECT_EQ(verdict.status, Status::kFail);
  EXPECT_THAT(verdict.reason, HasSubstr("5 boots in a row, 2 to 6"));
}

TEST(NeverLoops, NothingIsProvenWhileAnEntryByTimeIsStillToCome) {
  scenario::Scenario scenario;
  scenario::TimelineEntry entry{{}, scenario::RecreatePod{}, 7};
  entry.when.at = std::chrono::hours(3);
  scenario.timeline = {entry};
  auto record = naive_clone(3);
  record.pending_timeline = true;
  record.pending = {"line 7: at 3 h"};
  EXPECT_FALSE(never_loops_of(record, scenario).proven);
}

TEST(NeverLoops, AnEntryThatWaitsForTheTrainingDoesNotStopTheProof) {
  scenario::Scenario scenario;
  scenario::TimelineEntry entry{{}, scenario::RecreatePod{}, 7};
  entry.when.step = 120;
  scenario.timeline = {entry};
  auto record = naive_clone(3);
  record.pending_timeline = true;
  record.pending = {"line 7: step 120"};
  EXPECT_TRUE(never_loops_of(record, scenario).proven);
}

TEST(NeverLoops, NothingIsProvenWhileTheNetworkIsDownForAWhile) {
  scenario::Scenario scenario;
  scenario::TimelineEntry entry{{}, scenario::NetworkDown{std::chrono::hours(2)}, 7};
  entry.when.boot = 1;
  scenario.timeline = {entry};
  auto record = naive_clone(3);
  EXPECT_FALSE(never_loops_of(record, scenario).proven);
  record.events.push_back({std::chrono::seconds(1), 1, pod::EventKind::kHeal, "the network is up again", -1});
  EXPECT_TRUE(never_loops_of(record, scenario).proven);
}

TEST(NeverLoops, NothingIsProvenWhilePipCountsItsFailures) {
  scenario::Scenario scenario;
  scenario::TimelineEntry entry{{}, scenario::PipFails{3}, 7};
  entry.when.boot = 1;
  scenario.timeline = {entry};
  EXPECT_FALSE(never_loops_of(naive_clone(3), scenario).proven);
  scenario.timeline[0].action = scenario::PipFails{0};
  EXPECT_TRUE(never_loops_of(naive_clone(3), scenario).proven);
}

TEST(NeverLoops, AHoldAfterTwoFailuresPasses) {
  auto record = naive_clone(3);
  record.boots[2].ended_by = pod::BootEnd::kStillRunning;
  record.boots[2].end = std::chrono::hours(24);
  record.outcome = scenario::Outcome::kHeld;
  EXPECT_EQ(never_loops_of(record).status, Status::kPass);
}

TEST(NeverLoops, OneHealthyBootPasses) {
  pod::WorldRecord record = failing_boots(1);
  record.boots[0].status.value = 0;
  record.boots[0].best_step_after = 200;
  record.outcome = scenario::Outcome::kCompleted;
  EXPECT_EQ(never_loops_of(record).status, Status::kPass);
}

}  // namespace
}  // namespace oracle
