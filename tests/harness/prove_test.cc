#include "harness/proof/prove.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "harness/proof/policy_graph.h"
#include "harness/scenario/parse.h"

namespace proof {
namespace {

using namespace policy;
using ::testing::HasSubstr;

// Small numbers, so that each proof takes a moment; the shapes are those that ship.
Limits small_limits() {
  Limits limits;
  limits.same_failures = limits.same_failures_unknown = limits.same_failures_environment = 2;
  limits.failures = 3;
  limits.transients = 3;
  limits.preemptions = 3;
  limits.unclean_ends = 2;
  limits.ends_without_progress = 7;
  limits.conclusion_failures = 2;
  return limits;
}

PolicyOnTrial sound() {
  PolicyOnTrial trial;
  trial.limits = small_limits();
  return trial;
}

// A policy whose memory is spoilt after each turn.
using Spoil = std::function<void(History& after, const History& before, const Observation&, const Decision&)>;
PolicyOnTrial forgets(const Spoil& spoil) {
  PolicyOnTrial trial = sound();
  trial.advance = [spoil](const History& before, const Observation& observation, const Decision& decision) {
    History after = policy::advance(before, observation, decision);
    spoil(after, before, observation, decision);
    return after;
  };
  return trial;
}

// A policy that answers differently.
using Answer = std::function<Decision(const History&, const Observation&, const Decision& sound_decision)>;
PolicyOnTrial answers(const Answer& answer) {
  PolicyOnTrial trial = sound();
  trial.decide = [answer](const History& history, const Observation& observation, const Limits& limits) {
    return answer(history, observation, policy::decide(history, observation, limits));
  };
  return trial;
}

template <class T>
bool is(const Observation& observation) {
  return std::holds_alternative<T>(observation);
}

std::string words(const ProveResult& result) {
  std::ostringstream text;
  print(text, "the policy", result);
  return text.str();
}

// --- The policy that ships -----------------------------------------------------------------------------------------

TEST(Prove, SoundPolicyIsProven) {
  const ProveResult result = prove(sound());
  EXPECT_TRUE(result.proven()) << words(result);
  EXPECT_GT(result.states, 1000U);
  EXPECT_THAT(words(result), HasSubstr("PROVEN"));
}

TEST(Prove, SoundPolicyThatExitsIsProven) {
  PolicyOnTrial trial = sound();
  trial.limits.on_failure = OnFailure::kExit;
  const ProveResult result = prove(trial);
  EXPECT_TRUE(result.proven()) << words(result);
}

TEST(Prove, SoundPolicyWithBudgetsIsProven) {
  PolicyOnTrial trial = sound();
  trial.limits.attempts_max = 3;
  trial.limits.seconds_max = 2ULL * History::lasting_seconds;
  trial.limits.paid_seconds_max = 3ULL * History::lasting_seconds;
  const ProveResult result = prove(trial);
  EXPECT_TRUE(result.proven()) << words(result);
}

// Each end without progress lowers the rank by one, and the older checkpoint is worth one more.
TEST(Prove, BoundsFollowFromTheLimits) {
  const ProveResult result = prove(sound());
  EXPECT_EQ(result.attempts_max, small_limits().ends_without_progress + 1);
  PolicyOnTrial stricter = sound();
  stricter.limits.ends_without_progress = 4;
  EXPECT_LT(prove(stricter).attempts_max, result.attempts_max);
}

TEST(Prove, SameTrialTwiceGivesTheSame) {
  const ProveResult first = prove(sound());
  const ProveResult second = prove(sound());
  EXPECT_EQ(first.states, second.states);
  EXPECT_EQ(first.edges, second.edges);
  EXPECT_EQ(first.depth, second.depth);
}

TEST(Prove, KeysReadBack) {
  const Limits limits = small_limits();
  std::vector<Turn> turns;
  const PolicyOnTrial trial = sound();
  State state;
  for (int i = 0; i < 200; ++i) {
    list_turns(trial, state, turns);
    state = turns[static_cast<std::size_t>(i * 7) % turns.size()].next;
    const std::uint64_t key = key_of(state, limits);
    EXPECT_EQ(key_of(state_of(key), limits), key);
    state = state_of(key);
  }
}

// --- The path as a scenario ----------------------------------------------------------------------------------------

TEST(Prove, PathIsAScenarioThatReads) {
  const ProveResult result = prove(forgets([](History& after, auto&&...) { after.unclean_ends = 0; }));
  ASSERT_FALSE(result.proven());
  ASSERT_FALSE(result.refutation->scenario.empty()) << words(result);
  EXPECT_THAT(result.refutation->scenario, HasSubstr("kills-container"));
  const auto scenarios = scenario::parse(result.refutation->scenario, "refutation.yaml");
  EXPECT_TRUE(scenarios) << scenarios.error().message() << "\n" << result.refutation->scenario;
}

// --- Teeth: each must be refuted, and for the right reason ---------------------------------------------------------

void expect_refuted(const PolicyOnTrial& trial, const std::string& promise) {
  const ProveResult result = prove(trial);
  ASSERT_FALSE(result.proven()) << words(result);
  EXPECT_EQ(result.refutation->promise, promise) << words(result);
  EXPECT_FALSE(result.refutation->path.empty());
  EXPECT_NE(result.refutation->scenario.empty(), result.refutation->why_no_scenario.empty()) << words(result);
}

TEST(ProveTooth, FailureCounterDropped) {
  expect_refuted(forgets([](History& after, auto&&...) { after.failures = after.same_failures = 0; }), "never loops");
}

TEST(ProveTooth, TransientCounterDropped) {
  expect_refuted(forgets([](History& after, auto&&...) { after.transients = 0; }), "never loops");
}

TEST(ProveTooth, PreemptionCounterDropped) {
  expect_refuted(forgets([](History& after, auto&&...) { after.preemptions = 0; }), "never loops");
}

TEST(ProveTooth, UncleanEndCounterDropped) {
  expect_refuted(forgets([](History& after, auto&&...) { after.unclean_ends = 0; }), "never loops");
}

TEST(ProveTooth, AnotherErrorForgivesTheOnesBefore) {
  expect_refuted(forgets([](History& after, const History& before, auto&&...) {
                   if (after.fingerprint != before.fingerprint) after.failures = after.same_failures;
                 }),
                 "never loops");
}

TEST(ProveTooth, BootIsNotWrittenAhead) {
  expect_refuted(forgets([](History& after, auto&&...) { after.boot_open = false; }), "never loops");
}

TEST(ProveTooth, OlderCheckpointIsTriedAgainAndAgain) {
  expect_refuted(forgets([](History& after, auto&&...) { after.older_checkpoint_tried = false; }), "never loops");
}

TEST(ProveTooth, RestartForgivesEverything) {
  expect_refuted(forgets([](History& after, const History&, const Observation& observation, const Decision&) {
                   if (is<BootBegan>(observation)) after.failures = after.same_failures = after.unclean_ends = 0;
                 }),
                 "never loops");
}

TEST(ProveTooth, ExitInsteadOfHold) {
  expect_refuted(answers([](const History&, const Observation&, const Decision& decision) -> Decision {
                   const auto* hold = std::get_if<Hold>(&decision);
                   if (hold == nullptr) return decision;
                   return Exit{hold->reason, 1, hold->cause, hold->remedy};
                 }),
                 "never loops");
}

TEST(ProveTooth, RetryInsteadOfHold) {
  expect_refuted(answers([](const History&, const Observation& observation, const Decision& decision) -> Decision {
                   const bool gives_up = is<AttemptEnded>(observation) && std::holds_alternative<Hold>(decision);
                   return gives_up ? Retry{10, 10} : decision;
                 }),
                 "never loops");
}

TEST(ProveTooth, GoesOnWithoutLedger) {
  expect_refuted(answers([](History history, const Observation& observation, const Decision& decision) -> Decision {
                   if (history.hold || history.finished || is<Preempted>(observation)) return decision;
                   if (is<LedgerFailed>(observation)) return policy::Run{};
                   history.ledger_lost = false;
                   return policy::decide(history, observation, small_limits());
                 }),
                 "a hold lasts until released");  // what is not written down is forgotten, a hold soonest of all
}

TEST(ProveTooth, PublishingIsRetriedForEver) {
  expect_refuted(forgets([](History& after, auto&&...) { after.conclusion_failures = 0; }), "never loops");
}

TEST(ProveTooth, ProgressDoesNotForgive) {
  expect_refuted(forgets([](History& after, const History& before, const Observation& observation, const Decision&) {
                   if (!is<Progressed>(observation)) return;
                   after = before;
                 }),
                 "no hold without a reason");
}

TEST(ProveTooth, PreemptionAfterProgressCounts) {
  expect_refuted(forgets([](History& after, const History&, const Observation& observation, const Decision&) {
                   if (is<Preempted>(observation)) after.progressed = false;
                   if (is<Progressed>(observation)) after.preemptions = small_limits().preemptions - 1;
                 }),
                 "no hold without a reason");
}

// Whatever looks newer is taken for progress, however short the attempt that claims it.
TEST(ProveTooth, ProgressIsTakenOnTrust) {
  expect_refuted(forgets([](History& after, const History&, const Observation& observation, const Decision&) {
                   if (!is<Progressed>(observation)) return;
                   after.failures = after.same_failures = after.transients = 0;
                   after.preemptions = after.unclean_ends = 0;
                 }),
                 "never loops");
}

TEST(ProveTooth, AlwaysHolds) {
  expect_refuted(answers([](auto&&...) -> Decision { return hold_for(HoldReason::kNoProgress); }),
                 "no hold without a reason");
}

TEST(ProveTooth, NewCommitReopensAFinishedRun) {
  expect_refuted(forgets([](History& after, const History&, const Observation& observation, const Decision&) {
                   if (is<CommitSeen>(observation)) after.finished = false;
                 }),
                 "finished stays finished");
}

TEST(ProveTooth, FinishedRunIsRunAgainByARestart) {
  expect_refuted(
      answers([](const History& history, const Observation& observation, const Decision& decision) -> Decision {
        return history.finished && is<BootBegan>(observation) ? policy::Run{} : decision;
      }),
      "finished stays finished");
}

TEST(ProveTooth, RestartEndsAHold) {
  expect_refuted(forgets([](History& after, auto&&...) { after.hold.reset(); }), "a hold lasts until released");
}

TEST(ProveTooth, TimeEndsAHold) {
  expect_refuted(
      answers([](const History& history, const Observation& observation, const Decision& decision) -> Decision {
        return history.hold && !history.finished && is<TimePassed>(observation) ? policy::Run{true} : decision;
      }),
      "a hold lasts until released");
}

TEST(ProveTooth, ResumeIsIgnored) {
  expect_refuted(
      answers([](const History& history, const Observation& observation, const Decision& decision) -> Decision {
        if (!history.hold || history.finished || !is<ResumeAsked>(observation)) return decision;
        return hold_for(history.hold->reason);
      }),
      "a release leads to an attempt");
}

TEST(ProveTooth, ReleaseLeadsOnlyBackIntoTheHold) {
  expect_refuted(
      answers([](const History& history, const Observation& observation, const Decision& decision) -> Decision {
        const bool fresh = history.failures == 0 && history.commit != 0 && !history.hold;
        if (!fresh || !is<AttemptBegan>(observation)) return decision;
        return hold_for(HoldReason::kSameFailure);
      }),
      "a release leads to an attempt");
}

TEST(ProveTooth, HoldWithoutARemedy) {
  expect_refuted(answers([](const History&, const Observation&, const Decision& decision) -> Decision {
                   const auto* hold = std::get_if<Hold>(&decision);
                   if (hold == nullptr || hold->reason != HoldReason::kPreemptionStorm) return decision;
                   return Hold{hold->reason, hold->cause, {}};
                 }),
                 "every hold says why and what to do");
}

}  // namespace
}  // namespace proof
