#include "launcher/policy/policy.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace policy {
namespace {

// A run as the launcher drives it: each observation is decided, then remembered.
class Story {
 public:
  Limits limits;
  History history;

  Decision see(const Observation& observation) {
    const Decision decision = decide(history, observation, limits);
    history = advance(history, observation, decision);
    return decision;
  }
  Decision boot(std::uint64_t configuration = 1, std::uint64_t hardware = 1, bool older_checkpoint = false) {
    return see(BootBegan{configuration, hardware, false, older_checkpoint});
  }
  Decision fail(std::uint64_t fingerprint, Cause cause = Cause::kDeterministic, bool older_checkpoint = false) {
    see(AttemptBegan{});
    return see(AttemptEnded{cause, fingerprint, older_checkpoint});
  }
};

template <class T>
bool is(const Decision& decision) {
  return std::holds_alternative<T>(decision);
}

std::string_view held_for(const Decision& decision) {
  const auto* hold = std::get_if<Hold>(&decision);
  return hold != nullptr ? name(hold->reason) : "";
}

TEST(Policy, FirstBootRuns) {
  Story run;
  EXPECT_TRUE(is<policy::Run>(run.boot()));
  EXPECT_TRUE(is<policy::Run>(run.see(AttemptBegan{})));
}

TEST(Policy, ThirdFailureOfOneKindHolds) {
  Story run;
  run.boot();
  EXPECT_TRUE(is<Retry>(run.fail(7)));
  EXPECT_TRUE(is<Retry>(run.fail(7)));
  EXPECT_EQ(held_for(run.fail(7)), "same-failure");
}

TEST(Policy, RepeatedFailureIsCountedAcrossBoots) {
  Story run;
  for (int i = 0; i < 2; ++i) {
    run.boot();
    run.fail(7);
  }
  run.boot();
  EXPECT_EQ(held_for(run.fail(7)), "same-failure");
  EXPECT_EQ(held_for(run.boot()), "same-failure");
}

TEST(Policy, AlternatingFailuresHold) {
  Story run;
  run.boot();
  for (std::uint64_t i = 0; i < 5; ++i) EXPECT_TRUE(is<Retry>(run.fail(1 + i % 2)));
  EXPECT_EQ(held_for(run.fail(2)), "many-failures");
}

TEST(Policy, ProgressForgivesFailures) {
  Story run;
  run.boot();
  for (int i = 0; i < 50; ++i) {
    run.see(AttemptBegan{});
    run.see(Progressed{});
    run.see(TimePassed{60});
    EXPECT_TRUE(is<Retry>(run.see(AttemptEnded{Cause::kUnknown, 7})));
  }
  EXPECT_EQ(run.history.failures, 0U);
}

// --- Progress is not taken on trust ----------------------------------------------------------------------------------

TEST(Policy, ProgressOfAttemptsThatEndWithinAMinuteForgivesNothing) {
  Story run;
  run.boot();
  int attempts = 0;
  do {
    run.see(AttemptBegan{});
    run.see(Progressed{});
    run.see(TimePassed{59});
    ++attempts;
  } while (is<Retry>(run.see(AttemptEnded{Cause::kDeterministic, 7})) && attempts < 100);
  EXPECT_EQ(attempts, 3);
}

TEST(Policy, ProgressFoundAfterKillsWithinAMinuteHolds) {
  Story run;
  unsigned boots = 0;
  while (is<policy::Run>(run.see(BootBegan{1, 1, true, false})) && boots < 100) {
    run.see(AttemptBegan{});
    run.see(Progressed{});
    ++boots;
  }
  EXPECT_EQ(boots, run.limits.unclean_ends);
}

TEST(Policy, ProgressClaimedBeforeTheMinuteIsOverCountsOnceItIs) {
  Story run;
  run.boot();
  run.fail(7);
  run.see(AttemptBegan{});
  run.see(Progressed{});
  run.see(TimePassed{30});
  EXPECT_EQ(run.history.failures, 1U);
  run.see(TimePassed{30});
  EXPECT_EQ(run.history.failures, 0U);
}

TEST(Policy, MinutesOfTwoAttemptsAreNotAddedUp) {
  Story run;
  run.boot();
  run.see(AttemptBegan{});
  run.see(TimePassed{50});
  run.see(AttemptEnded{Cause::kDeterministic, 7});
  run.see(AttemptBegan{});
  run.see(TimePassed{50});
  run.see(Progressed{});
  run.see(AttemptEnded{Cause::kDeterministic, 7});
  EXPECT_EQ(run.history.failures, 2U);
}

TEST(Policy, LongAttemptDoesNotPayForTheClaimOfTheNextOne) {
  Story run;
  run.boot();
  run.see(AttemptBegan{});
  run.see(TimePassed{600});
  run.see(AttemptEnded{Cause::kDeterministic, 7});
  run.see(Progressed{});  // a checkpoint that was found before the next attempt began
  run.see(AttemptBegan{});
  run.see(AttemptEnded{Cause::kDeterministic, 7});
  EXPECT_EQ(run.history.failures, 2U);
}

// --- How long a failure is tried again -------------------------------------------------------------------------------

// The waits that are certain, from the first failure until the hold, with the same failure at every try.
unsigned seconds_until_hold(const Observation& failure) {
  Story run;
  run.boot();
  unsigned seconds = 0;
  for (int tries = 0; tries < 100; ++tries) {
    if (std::holds_alternative<AttemptEnded>(failure)) run.see(AttemptBegan{});
    const Decision decision = run.see(failure);
    const auto* retry = std::get_if<Retry>(&decision);
    if (retry == nullptr) break;
    seconds += retry->earliest_seconds;
  }
  return seconds;
}

TEST(Policy, FaultsThatPassAreBridgedForTenMinutes) {
  for (const Phase phase : {Phase::kGpus, Phase::kCheckout, Phase::kSetup, Phase::kCheckpoints}) {
    for (const Cause cause : {Cause::kUnknown, Cause::kEnvironment, Cause::kTransient}) {
      EXPECT_GE(seconds_until_hold(PhaseFailed{phase, cause, 7}), 600U) << name(phase) << ", " << name(cause);
    }
  }
  EXPECT_GE(seconds_until_hold(AttemptEnded{Cause::kEnvironment, 7}), 600U);
  EXPECT_GE(seconds_until_hold(AttemptEnded{Cause::kTransient, 7}), 600U);
}

TEST(Policy, TrainingThatEndsForNoKnownCauseIsTriedAgainForMinutes) {
  EXPECT_GE(seconds_until_hold(AttemptEnded{Cause::kUnknown, 7}), 180U);
}

TEST(Policy, DeterministicFailureHoldsWithinAMinute) {
  EXPECT_LE(seconds_until_hold(AttemptEnded{Cause::kDeterministic, 7}), 30U);
  EXPECT_LE(seconds_until_hold(PhaseFailed{Phase::kSetup, Cause::kDeterministic, 7}), 30U);
}

TEST(Policy, PreemptionsWithProgressNeverHold) {
  Story run;
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(is<policy::Run>(run.boot()));
    run.see(AttemptBegan{});
    run.see(Progressed{});
    run.see(TimePassed{60});
    ASSERT_TRUE(is<Leave>(run.see(Preempted{})));
  }
}

TEST(Policy, PreemptionsWithoutProgressHoldAtTheLimit) {
  Story run;
  for (unsigned i = 0; i < run.limits.preemptions; ++i) {
    ASSERT_TRUE(is<policy::Run>(run.boot())) << i;
    run.see(AttemptBegan{});
    run.see(Preempted{});
  }
  EXPECT_EQ(held_for(run.boot()), "preemption-storm");
}

TEST(Policy, KilledBootsHoldAtTheLimit) {
  Story run;
  for (unsigned i = 0; i < run.limits.unclean_ends; ++i) ASSERT_TRUE(is<policy::Run>(run.boot())) << i;
  EXPECT_EQ(held_for(run.boot()), "unclean-ends");
}

TEST(Policy, KilledBootsTryTheOlderCheckpointWithinTheLimit) {
  Story run;
  for (unsigned i = 0; i + 1 < run.limits.unclean_ends; ++i) {
    ASSERT_TRUE(is<policy::Run>(run.see(BootBegan{1, 1, false, true}))) << i;
  }
  EXPECT_TRUE(is<policy::TryOlderCheckpoint>(run.see(BootBegan{1, 1, false, true})));
  EXPECT_EQ(held_for(run.see(BootBegan{1, 1, false, true})), "unclean-ends");
}

TEST(Policy, ProgressFoundOnDiskAfterAKillCounts) {
  Story run;
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(is<policy::Run>(run.see(BootBegan{1, 1, true, false})));
    run.see(AttemptBegan{});
    run.see(TimePassed{60});
  }
}

TEST(Policy, NetworkOutageIsWaitedForLongerThanACrash) {
  Story run;
  run.boot();
  for (unsigned i = 1; i < run.limits.transients; ++i) {
    ASSERT_TRUE(is<Retry>(run.see(PhaseFailed{Phase::kCheckout, Cause::kTransient, 1})));
  }
  EXPECT_EQ(held_for(run.see(PhaseFailed{Phase::kCheckout, Cause::kTransient, 1})), "transient-failures");
}

TEST(Policy, BackoffDoublesUpToItsMaximum) {
  Story run;
  run.boot();
  std::vector<unsigned> waits;
  for (int i = 0; i < 7; ++i) {
    const auto retry = std::get<Retry>(run.see(PhaseFailed{Phase::kSetup, Cause::kTransient, 1}));
    EXPECT_LE(retry.earliest_seconds, retry.latest_seconds);
    waits.push_back(retry.latest_seconds);
  }
  EXPECT_EQ(waits, (std::vector<unsigned>{10, 20, 40, 80, 160, 300, 300}));
}

TEST(Policy, OlderCheckpointIsTriedOnceBeforeHolding) {
  Story run;
  run.boot();
  for (int i = 0; i < 3; ++i) run.fail(7, Cause::kUnknown, true);
  EXPECT_TRUE(is<TryOlderCheckpoint>(run.fail(7, Cause::kUnknown, true)));
  EXPECT_EQ(held_for(run.fail(7, Cause::kUnknown, true)), "same-failure");
}

TEST(Policy, OlderCheckpointKeepsItsTryWhenAPreemptionComesBetween) {
  Story run;
  run.boot();
  for (int i = 0; i < 3; ++i) run.fail(7, Cause::kUnknown, true);
  run.see(Preempted{});
  EXPECT_TRUE(is<policy::Run>(run.boot()));
}

TEST(Policy, OlderCheckpointIsNotBlamedForSetup) {
  Story run;
  run.boot(1, 1, true);
  run.see(PhaseFailed{Phase::kSetup, Cause::kDeterministic, 3});
  run.see(PhaseFailed{Phase::kSetup, Cause::kDeterministic, 3});
  EXPECT_EQ(held_for(run.see(PhaseFailed{Phase::kSetup, Cause::kDeterministic, 3})), "setup-failed");
}

TEST(Policy, SameMachineErrorOnSameGpuBlamesTheMachine) {
  Story run;
  run.boot(1, 5);
  for (int i = 0; i < 5; ++i) run.fail(7, Cause::kEnvironment);
  EXPECT_EQ(held_for(run.fail(7, Cause::kEnvironment)), "hardware");
  EXPECT_TRUE(is<policy::Run>(run.boot(1, 6)));  // another GPU: go on
}

// Held for the machine, released by other GPUs, and there the same error again: it was never the machine.
TEST(Policy, ErrorThatFollowsTheRunToOtherGpusBlamesTheCodeAcrossReleases) {
  Story run;
  run.boot(1, 5);
  while (is<Retry>(run.fail(7, Cause::kEnvironment))) continue;
  ASSERT_TRUE(run.history.hold);
  ASSERT_EQ(name(run.history.hold->reason), "hardware");
  ASSERT_TRUE(is<policy::Run>(run.boot(1, 6)));
  Decision last = run.fail(7, Cause::kEnvironment);
  while (is<Retry>(last)) last = run.fail(7, Cause::kEnvironment);
  EXPECT_EQ(held_for(last), "same-failure");
}

TEST(Policy, ErrorThatComesBackOnTheSameGpusAfterResumeBlamesTheMachineAgain) {
  Story run;
  run.boot(1, 5);
  while (is<Retry>(run.fail(7, Cause::kEnvironment))) continue;
  ASSERT_TRUE(is<policy::Run>(run.see(ResumeAsked{})));
  Decision last = run.fail(7, Cause::kEnvironment);
  while (is<Retry>(last)) last = run.fail(7, Cause::kEnvironment);
  EXPECT_EQ(held_for(last), "hardware");
}

TEST(Policy, SameMachineErrorOnAnotherGpuBlamesTheCode) {
  Story run;
  run.boot(1, 5);
  run.fail(7, Cause::kEnvironment);
  run.boot(1, 6);
  for (int i = 0; i < 4; ++i) run.fail(7, Cause::kEnvironment);
  EXPECT_EQ(held_for(run.fail(7, Cause::kEnvironment)), "same-failure");
}

TEST(Policy, HoldEndsWithResumeCommitOrConfiguration) {
  for (const Observation& release :
       {Observation{ResumeAsked{}}, Observation{CommitSeen{2}}, Observation{BootBegan{.configuration = 2}}}) {
    Story run;
    run.boot();
    run.see(CommitSeen{1});
    for (int i = 0; i < 3; ++i) run.fail(7);
    EXPECT_EQ(held_for(run.see(CommitSeen{1})), "same-failure");
    EXPECT_EQ(held_for(run.boot(1)), "same-failure");
    const Decision decision = run.see(release);
    ASSERT_TRUE(is<policy::Run>(decision));
    EXPECT_TRUE(std::get<policy::Run>(decision).released);
    EXPECT_FALSE(run.history.hold);
    EXPECT_TRUE(is<Retry>(run.fail(7)));
  }
}

// Held since upstream could not be asked, over a restart: what it shows then is news, though the commit is an old one.
TEST(Policy, HoldForTheCheckoutEndsWhenUpstreamAnswersAgain) {
  Story run;
  run.boot();
  run.see(CommitSeen{7});
  for (int i = 0; i < 3; ++i) run.see(PhaseFailed{Phase::kCheckout, Cause::kDeterministic, 5});
  EXPECT_EQ(held_for(run.see(CommitSeen{7})), "checkout-failed");
  EXPECT_EQ(held_for(run.see(CommitSeen{0})), "checkout-failed");
  EXPECT_EQ(held_for(run.boot()), "checkout-failed");
  EXPECT_TRUE(is<policy::Run>(run.see(CommitSeen{7})));
}

TEST(Policy, UpstreamThatAnswersAgainDoesNotMendTheCode) {
  Story run;
  run.boot();
  run.see(CommitSeen{7});
  for (int i = 0; i < 3; ++i) run.fail(7);
  run.see(CommitSeen{0});
  EXPECT_EQ(held_for(run.see(CommitSeen{7})), "same-failure");
  EXPECT_TRUE(is<policy::Run>(run.see(CommitSeen{8})));
}

TEST(Policy, RestartDuringAHoldStaysHeldAndIsNotCounted) {
  Story run;
  run.boot();
  for (int i = 0; i < 3; ++i) run.fail(7);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(held_for(run.boot()), "same-failure");
  EXPECT_EQ(run.history.unclean_ends, 0U);
}

TEST(Policy, NewCommitWithoutAHoldForgivesNothing) {
  Story run;
  run.boot();
  for (std::uint64_t i = 1; i < 3; ++i) {
    run.fail(7);
    run.see(CommitSeen{i});
  }
  EXPECT_EQ(held_for(run.fail(7)), "same-failure");
}

TEST(Policy, FlappingObstacleBuysNoAttempts) {
  Story run;
  run.boot();
  int attempts = 0;
  for (int i = 0; i < 100; ++i) {
    run.see(Blocked{Obstacle::kGpusMissing});
    if (!is<policy::Run>(run.boot())) break;
    ++attempts;
    run.fail(7);
  }
  EXPECT_EQ(attempts, 3);
}

TEST(Policy, FinishedStaysFinished) {
  Story run;
  run.boot();
  run.see(AttemptBegan{});
  EXPECT_TRUE(is<Finish>(run.see(AttemptEnded{Cause::kFinished, 0})));
  for (std::uint64_t i = 0; i < 100; ++i) {
    EXPECT_TRUE(is<Finish>(run.boot(i)));
    EXPECT_TRUE(is<Finish>(run.see(CommitSeen{i})));
    EXPECT_TRUE(is<Finish>(run.see(ResumeAsked{})));
  }
}

TEST(Policy, FailedStopIsRetriedThenHeld) {
  Story run;
  run.boot();
  run.see(AttemptBegan{});
  run.see(AttemptEnded{Cause::kFinished, 0});
  for (unsigned i = 1; i < run.limits.conclusion_failures; ++i) {
    EXPECT_TRUE(is<Retry>(run.see(ConclusionFailed{Conclusion::kStop})));
  }
  EXPECT_EQ(held_for(run.see(ConclusionFailed{Conclusion::kStop})), "stop-failed");
  EXPECT_TRUE(is<Finish>(run.see(ResumeAsked{})));
}

TEST(Policy, LedgerTroubleHoldsEvenWhereFailuresExit) {
  Story run;
  run.limits.on_failure = OnFailure::kExit;
  EXPECT_EQ(held_for(run.see(LedgerFailed{LedgerTrouble::kUnwritable})), "ledger-unusable");
  EXPECT_EQ(held_for(run.see(AttemptBegan{})), "ledger-unusable");
  EXPECT_EQ(held_for(run.see(ResumeAsked{})), "ledger-unusable");
  EXPECT_TRUE(is<policy::Run>(run.see(ObstacleCleared{})));
  EXPECT_TRUE(is<policy::Run>(run.boot()));
}

TEST(Policy, LedgerThatComesBackBringsItsHoldBack) {
  Story run;
  run.boot();
  for (int i = 0; i < 3; ++i) run.fail(7);
  EXPECT_EQ(held_for(run.see(LedgerFailed{LedgerTrouble::kHung})), "ledger-unusable");
  EXPECT_EQ(held_for(run.see(ObstacleCleared{})), "same-failure");
}

TEST(Policy, KillAfterTheLedgerCameBackIsAnUncleanEnd) {
  Story run;
  run.see(LedgerFailed{LedgerTrouble::kUnwritable});
  EXPECT_TRUE(is<policy::Run>(run.see(ObstacleCleared{})));
  run.boot();
  EXPECT_EQ(run.history.unclean_ends, 1U);
}

TEST(Policy, LedgerLostWhileTrainingLetsItRunAndThenHolds) {
  Story run;
  run.boot();
  run.see(AttemptBegan{});
  EXPECT_TRUE(is<policy::Run>(run.see(LedgerFailed{LedgerTrouble::kHung})));
  EXPECT_TRUE(is<policy::Run>(run.see(Progressed{})));
  EXPECT_EQ(held_for(run.see(AttemptEnded{Cause::kFinished, 0})), "ledger-unusable");
}

TEST(Policy, ExitIsOnlyForSchedulersThatRetry) {
  Story run;
  run.limits.on_failure = OnFailure::kExit;
  run.boot();
  run.fail(7);
  run.fail(7);
  const Decision decision = run.fail(7);
  ASSERT_TRUE(is<Exit>(decision));
  EXPECT_EQ(std::get<Exit>(decision).code, exit_code(HoldReason::kSameFailure));
  EXPECT_TRUE(is<policy::Run>(run.boot()));  // the scheduler's retry is the release
}

TEST(Policy, AttemptBudgetHoldsAndResumeAllowsAsManyAgain) {
  Story run;
  run.limits.attempts_max = 2;
  run.boot();
  run.see(AttemptBegan{});
  run.see(Progressed{});
  EXPECT_TRUE(is<policy::Run>(run.see(TimePassed{60})));
  EXPECT_TRUE(is<Retry>(run.see(AttemptEnded{Cause::kUnknown, 1})));
  EXPECT_EQ(held_for(run.fail(2)), "attempt-budget");
  EXPECT_EQ(held_for(run.see(CommitSeen{9})), "attempt-budget");
  EXPECT_EQ(held_for(run.boot(2)), "attempt-budget");  // another configuration, the same allowance
  EXPECT_TRUE(is<policy::Run>(run.see(ResumeAsked{})));
  EXPECT_TRUE(is<policy::Run>(run.see(AttemptBegan{})));
}

TEST(Policy, PreemptedAttemptsAreGivenBack) {
  Story run;
  run.limits.attempts_max = 2;
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(is<policy::Run>(run.boot()));
    ASSERT_TRUE(is<policy::Run>(run.see(AttemptBegan{})));
    run.see(Preempted{});
  }
}

TEST(Policy, TimeBudgetEndsARunningAttempt) {
  Story run;
  run.limits.seconds_max = 3600;
  run.boot();
  run.see(AttemptBegan{});
  EXPECT_TRUE(is<policy::Run>(run.see(TimePassed{3599})));
  EXPECT_EQ(held_for(run.see(TimePassed{1})), "time-budget");
}

TEST(Policy, MoneyIsSpentOnAllThatIsPaidAndTimeOnTrainingAlone) {
  Story run;
  run.limits.seconds_max = 1000;
  run.limits.paid_seconds_max = 3600;
  run.boot();
  EXPECT_TRUE(is<policy::Run>(run.see(TimePassed{3000})));  // setup
  EXPECT_EQ(run.history.seconds_used, 0U);
  run.see(AttemptBegan{});
  EXPECT_TRUE(is<policy::Run>(run.see(TimePassed{599})));
  EXPECT_EQ(held_for(run.see(TimePassed{1})), "cost-budget");
  EXPECT_EQ(run.history.seconds_used, 600U);
  EXPECT_EQ(held_for(run.boot()), "cost-budget");
  EXPECT_TRUE(is<policy::Run>(run.see(ResumeAsked{})));
  EXPECT_EQ(run.history.seconds_paid, 0U);
}

TEST(Policy, StrangeClockChangesNothing) {
  Story run;
  run.boot();
  run.fail(7);
  const History before = run.history;
  EXPECT_TRUE(is<policy::Run>(run.see(ClockStrange{})));
  EXPECT_EQ(run.history, before);
}

TEST(Policy, EveryReasonHasWordsAndItsOwnExitCode) {
  std::set<int> codes;
  std::set<std::string_view> names;
  for (int i = 0; i < hold_reason_count; ++i) {
    const auto reason = static_cast<HoldReason>(i);
    EXPECT_FALSE(hold_for(reason).cause.empty()) << i;
    EXPECT_FALSE(hold_for(reason).remedy.empty()) << i;
    codes.insert(exit_code(reason));
    names.insert(name(reason));
  }
  EXPECT_EQ(codes.size(), static_cast<std::size_t>(hold_reason_count));
  EXPECT_EQ(names.size(), static_cast<std::size_t>(hold_reason_count));
}

// Counters stay where they may be, whatever comes in whatever order.
TEST(Policy, CountersSaturate) {
  std::mt19937 random(1);
  Story run;
  for (int i = 0; i < 20000; ++i) {
    switch (random() % 5) {
      case 0:
        run.history = advance(run.history, BootBegan{1, 1}, policy::Run{});
        break;
      case 1:
        run.history = advance(run.history, Preempted{}, policy::Run{});
        break;
      case 2:
        run.history = advance(run.history, AttemptEnded{Cause::kTransient, 1}, policy::Run{});
        break;
      case 3:
        run.history = advance(run.history, AttemptEnded{Cause::kUnknown, 1}, policy::Run{});
        break;
      default:
        run.history = advance(run.history, ConclusionFailed{}, policy::Run{});
        break;
    }
  }
  for (const unsigned counter : {run.history.same_failures, run.history.failures, run.history.transients,
                                 run.history.preemptions, run.history.unclean_ends}) {
    EXPECT_EQ(counter, History::counter_max);
  }
}

}  // namespace
}  // namespace policy
