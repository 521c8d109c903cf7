// Why podlaunch never loops.
//
// The platform restarts whatever exits, so the launcher may exit only where that is harmless, and whatever it starts
// again must get dearer each time. Everything that can start again (a boot, an attempt, a phase) ends in one of these
// ways, and each of them raises one counter of the history:
//
//   counter        limit  what raises it, and why this limit
//
//   same_failures      3  a failure with the fingerprint of the one before, where the cause is known to be in the code
//                         or the configuration: a third one teaches nothing new
//                      4  the same of a training that failed for no known cause: the waits bridge 3.5 to 7 minutes
//                      6  the same of this machine, or of a phase before the training: 12 to 25 minutes, for what
//                         passes by itself (a full disk, a mount that comes back, descriptors that run out)
//   failures           6  a failure of whatever fingerprint: two causes that alternate get three tries each
//   transients        10  a failure by the network or a service: the backoff bridges 13 to 25 minutes of outage
//   preemptions       20  told to end: a bad night on spot; kills every few seconds trip within minutes
//   unclean_ends       4  a boot of which nobody wrote the end: out of memory, power, a killed container
//   (their sum)       24  all but the first together, so that a mixture of everything ends, too
//
// Ranking argument. Let the rank of a history be what is left below these limits. Each end without progress lowers it
// by one, nothing but progress or a release raises it, and it is never below zero: at zero the answer is hold. So
// between two pieces of progress there are boundedly many boots and attempts, whatever the outside does and in whatever
// order. One exception costs one step: before a hold for failures, the checkpoint before the newest is tried, once (a
// damaged newest checkpoint fails every attempt alike). Where each try is a restart of the container, that is the last
// try within the limit, not one beyond it.
//
// Progress is a high-water mark, so there is boundedly much of it, as long as it is real. That is not taken on trust:
// a claim counts only for an attempt that has lasted a minute by the monotonic clock. What ends sooner is counted as if
// it had got nowhere, whatever it claims; so a training that only writes files with higher numbers and dies is held
// after as many attempts as one that writes nothing. What remains possible is to pay a minute for each false claim, and
// against that stand the budgets.
//
// An end right after progress is not counted: the progress has paid for it. Hence no false hold: runs that progress,
// last a minute and are then preempted never raise a counter, however often.
//
// What must not be forgotten is written before it is risked. A boot is in the ledger before it does anything; if
// nothing was added when the next boot begins, that is an unclean end. Kills in any phase are accounted for in this
// way, also one between an observation and its record. Without a ledger nothing can be counted: then hold, in memory,
// and never exit.
//
// A hold closes the account: the counters go back to zero, and what it was held under (configuration, commit, hardware)
// is kept. A restart stays held until one of those changes in a way that can matter, or somebody says resume. Holds for
// an obstacle are different: each boot looks again, so the counters stay as they are and a flapping obstacle buys no
// attempts. The newest error and the GPUs it was seen on are kept beyond the account, so that an error which follows
// the run from one machine to the next is known for one of the code.
//
// No decision reads a wall clock or a file time. What this cannot do: count across a state folder that is wiped between
// boots. The launcher warns when nothing at that place survives the pod.

#include "launcher/policy/policy.h"

#include <algorithm>

#include "launcher/policy/hold_rules.h"

namespace policy {

namespace {

template <class T>
bool is(const Observation& observation) {
  return std::holds_alternative<T>(observation);
}

void raise(unsigned& counter) {
  counter = std::min(counter + 1, History::counter_max);
}

void begin_counters_anew(History& history) {
  history.same_failures = history.failures = history.transients = 0;
  history.preemptions = history.unclean_ends = 0;
  history.older_checkpoint_tried = false;
}

// --- Counting ------------------------------------------------------------------------------------------------------

// A claim of progress by an attempt that has lasted.
bool has_progressed(const History& history) {
  return history.progressed && history.attempt_seconds >= History::lasting_seconds;
}

// True when the end at hand was paid for by progress.
bool paid_by_progress(History& history) {
  const bool paid = has_progressed(history);
  history.progressed = false;
  history.attempt_seconds = 0;
  return paid;
}

void count_time(History& history, std::uint64_t seconds) {
  constexpr std::uint64_t century = 3'153'600'000;
  seconds = std::min(seconds, century);
  history.seconds_paid = std::min(history.seconds_paid + seconds, century);
  if (!history.attempt_open) return;
  history.seconds_used = std::min(history.seconds_used + seconds, century);
  const std::uint64_t lasted = std::min<std::uint64_t>(history.attempt_seconds + seconds, History::lasting_seconds);
  history.attempt_seconds = static_cast<unsigned>(lasted);
}

void count_failure(History& history, Cause cause, std::uint64_t fingerprint) {
  if (paid_by_progress(history)) return;
  if (cause == Cause::kTransient) return raise(history.transients);
  if (cause == Cause::kPreempted) return raise(history.preemptions);
  raise(history.failures);
  if (history.fingerprint == 0 || fingerprint != history.fingerprint) {
    history.fingerprint = fingerprint;
    history.same_failures = 1;
    history.failure_hardware = history.hardware;
    history.failed_on_other_hardware = false;
    return;
  }
  raise(history.same_failures);
  if (history.hardware == history.failure_hardware || history.failed_on_other_hardware) return;
  history.failed_on_other_hardware = true;
  history.failure_hardware = 0;
}

void count_boot(History& history, const BootBegan& boot) {
  if (boot.progress_found) history.progressed = true;
  const bool paid = paid_by_progress(history);
  if (paid) begin_counters_anew(history);
  if (history.boot_open && !paid) raise(history.told_to_end ? history.preemptions : history.unclean_ends);
  if (history.attempt_open && history.told_to_end && history.attempts_used > 0) --history.attempts_used;
  history.boot_open = true;
  history.attempt_open = history.told_to_end = history.progressed = history.ledger_lost = false;
  history.conclusion_failures = 0;
  history.configuration = boot.configuration;
  history.hardware = boot.hardware;
}

void count_attempt_end(History& history, const AttemptEnded& end) {
  count_time(history, end.seconds);
  history.attempt_open = false;
  if (end.cause == Cause::kFinished) {
    history.finished = true;
    history.progressed = false;
    history.attempt_seconds = 0;
    begin_counters_anew(history);
    return;
  }
  if (end.cause == Cause::kPreempted && history.attempts_used > 0) --history.attempts_used;
  count_failure(history, end.cause, end.fingerprint);
}

// What the observation alone changes. Once the ledger is lost the history stays what is on disk.
History count(History history, const Observation& observation) {
  if (is<ObstacleCleared>(observation)) history.ledger_lost = false;
  if (history.ledger_lost && !is<BootBegan>(observation)) {
    if (is<AttemptEnded>(observation)) history.attempt_open = false;
    return history;
  }
  if (const auto* boot = std::get_if<BootBegan>(&observation)) count_boot(history, *boot);
  if (const auto* failed = std::get_if<PhaseFailed>(&observation)) {
    count_failure(history, failed->cause, failed->fingerprint);
  }
  if (const auto* end = std::get_if<AttemptEnded>(&observation)) count_attempt_end(history, *end);
  if (is<Progressed>(observation)) history.progressed = true;
  if (const auto* time = std::get_if<TimePassed>(&observation)) count_time(history, time->seconds);
  const bool may_have_progressed = is<Progressed>(observation) || is<TimePassed>(observation);
  if (may_have_progressed && has_progressed(history)) begin_counters_anew(history);
  if (is<Preempted>(observation)) history.told_to_end = history.boot_open;
  if (is<ConclusionFailed>(observation)) raise(history.conclusion_failures);
  // What is left of a finished run needs no counting across boots.
  if (is<LedgerFailed>(observation)) history.ledger_lost = !history.finished;
  if (const auto* seen = std::get_if<CommitSeen>(&observation)) history.commit = seen->commit;
  return history;
}

// --- Limits --------------------------------------------------------------------------------------------------------

std::optional<HoldReason> spent_budget(const History& history, const Limits& limits) {
  const auto reached = [](std::uint64_t used, std::uint64_t limit) { return limit != 0 && used >= limit; };
  if (reached(history.attempts_used, limits.attempts_max)) return HoldReason::kAttemptBudget;
  if (reached(history.seconds_used, limits.seconds_max)) return HoldReason::kTimeBudget;
  if (reached(history.seconds_paid, limits.paid_seconds_max)) return HoldReason::kCostBudget;
  return std::nullopt;
}

HoldReason reason_of_same_failure(const History& history, const Observation& observation) {
  if (const auto* failed = std::get_if<PhaseFailed>(&observation)) return reason_for(failed->phase);
  const auto* end = std::get_if<AttemptEnded>(&observation);
  const bool machine = end != nullptr && end->cause == Cause::kEnvironment && !history.failed_on_other_hardware;
  return machine ? HoldReason::kHardware : HoldReason::kSameFailure;
}

// How long the same failure may pass by itself.
enum class Hope { kNone, kSome, kMuch };

Hope hope_for(const Observation& observation) {
  const auto* failed = std::get_if<PhaseFailed>(&observation);
  if (failed != nullptr) return failed->cause == Cause::kDeterministic ? Hope::kNone : Hope::kMuch;
  const auto* end = std::get_if<AttemptEnded>(&observation);
  if (end == nullptr || end->cause == Cause::kDeterministic) return Hope::kNone;
  return end->cause == Cause::kEnvironment ? Hope::kMuch : Hope::kSome;
}

unsigned same_failures_max(const Observation& observation, const Limits& limits) {
  const Hope hope = hope_for(observation);
  if (hope == Hope::kMuch) return limits.same_failures_environment;
  return hope == Hope::kSome ? limits.same_failures_unknown : limits.same_failures;
}

// The limit that the end at hand has reached. Only what it raised is judged: a checkpoint that is being tried keeps its
// one attempt even when a preemption comes between.
std::optional<HoldReason> exhausted(const History& history, const History& counted, const Observation& observation,
                                    const Limits& limits) {
  const auto reached = [](unsigned before, unsigned now, unsigned limit) { return now > before && now >= limit; };
  const unsigned ends_before = ends_without_progress(history);
  const unsigned ends_now = ends_without_progress(counted);
  if (counted.failures > history.failures && counted.same_failures >= same_failures_max(observation, limits)) {
    return reason_of_same_failure(counted, observation);
  }
  if (reached(history.failures, counted.failures, limits.failures)) return HoldReason::kManyFailures;
  if (reached(history.transients, counted.transients, limits.transients)) return HoldReason::kTransientFailures;
  if (reached(history.preemptions, counted.preemptions, limits.preemptions)) return HoldReason::kPreemptionStorm;
  if (reached(history.unclean_ends, counted.unclean_ends, limits.unclean_ends)) return HoldReason::kUncleanEnds;
  if (reached(ends_before, ends_now, limits.ends_without_progress)) return HoldReason::kNoProgress;
  return std::nullopt;
}

// Doubles with each end in a row; the lower half of the wait is certain, the upper half is drawn.
Retry backoff(unsigned ends, unsigned seconds_min, unsigned seconds_max) {
  const unsigned doublings = std::min(ends > 0 ? ends - 1 : 0U, 16U);
  const unsigned latest = std::min(seconds_min << doublings, seconds_max);
  return {latest / 2, latest};
}

bool is_transient(const Observation& observation) {
  const auto* failed = std::get_if<PhaseFailed>(&observation);
  const auto* end = std::get_if<AttemptEnded>(&observation);
  return (failed != nullptr && failed->cause == Cause::kTransient) ||
         (end != nullptr && end->cause == Cause::kTransient);
}

// Transient causes have tries enough to begin with short waits; what is known to be the code needs no long ones.
Retry wait_after(const History& counted, const Observation& observation, const Limits& limits) {
  const unsigned ends = ends_without_progress(counted);
  const bool patient = hope_for(observation) != Hope::kNone && !is_transient(observation);
  return patient ? backoff(ends, limits.patient_seconds_min, limits.patient_seconds_max)
                 : backoff(ends, limits.backoff_seconds_min, limits.backoff_seconds_max);
}

// --- Deciding ------------------------------------------------------------------------------------------------------

bool older_checkpoint_exists(const Observation& observation) {
  if (const auto* boot = std::get_if<BootBegan>(&observation)) return boot->older_checkpoint;
  if (const auto* end = std::get_if<AttemptEnded>(&observation)) return end->older_checkpoint;
  return false;
}

bool is_last_boot_before_hold(const History& history, const History& counted, const Limits& limits) {
  return counted.unclean_ends > history.unclean_ends && counted.unclean_ends + 1 == limits.unclean_ends;
}

// What to do at the begin of a boot or after an end: `otherwise`, unless something has run out.
Decision unless_exhausted(const History& history, const History& counted, const Observation& observation,
                          const Limits& limits, Decision otherwise) {
  if (const auto budget = spent_budget(counted, limits)) return hold_for(*budget);
  const auto reason = exhausted(history, counted, observation, limits);
  const bool blames_checkpoint =
      reason ? rule(*reason).blames_checkpoint : is_last_boot_before_hold(history, counted, limits);
  if (blames_checkpoint && !counted.older_checkpoint_tried && older_checkpoint_exists(observation)) {
    const Retry wait = wait_after(counted, observation, limits);
    return TryOlderCheckpoint{wait.earliest_seconds, wait.latest_seconds};
  }
  return reason ? hold_for(*reason) : otherwise;
}

Decision decide_without_ledger(const History& history, const Observation& observation) {
  const bool still_training = history.attempt_open && !is<AttemptEnded>(observation);
  if (still_training) return Run{};  // it may get further; what it does is only counted as an unclean end
  return hold_for(HoldReason::kLedgerUnusable);
}

Decision decide_finished(const History& history, const History& counted, const Observation& observation,
                         const Limits& limits) {
  if (const auto* failed = std::get_if<ConclusionFailed>(&observation)) {
    if (counted.conclusion_failures < limits.conclusion_failures) {
      return backoff(counted.conclusion_failures, limits.backoff_seconds_min, limits.backoff_seconds_max);
    }
    return hold_for(failed->conclusion == Conclusion::kPublish ? HoldReason::kPublishFailed : HoldReason::kStopFailed);
  }
  if (const auto* blocked = std::get_if<Blocked>(&observation)) return hold_for(reason_for(blocked->obstacle));
  const bool again = is<BootBegan>(observation) || is<ResumeAsked>(observation) || is<ObstacleCleared>(observation);
  if (history.hold && !again) return hold_for(history.hold->reason);
  return Finish{};
}

// Whether what is seen now differs from what it was held under, in a way that can matter for this reason.
bool changed_for_good(const HoldRecord& hold, const History& counted, const Observation& observation) {
  const HoldRule& held = rule(hold.reason);
  if (held.is_obstacle) return false;
  const auto differs = [](std::uint64_t now, std::uint64_t then) { return now != 0 && now != then; };
  if (is<CommitSeen>(observation)) return held.ends_with_commit && differs(counted.commit, hold.commit);
  if (!is<BootBegan>(observation)) return false;
  return differs(counted.configuration, hold.configuration) ||
         (held.ends_with_hardware && differs(counted.hardware, hold.hardware));
}

Decision decide_held(const History& history, const History& counted, const Observation& observation,
                     const Limits& limits) {
  const HoldRecord& hold = *history.hold;
  const bool boot = is<BootBegan>(observation);
  if (is<ResumeAsked>(observation)) return Run{.released = true};
  const bool scheduler_retries = boot && limits.on_failure == OnFailure::kExit;
  if (scheduler_retries || changed_for_good(hold, counted, observation)) {
    if (const auto budget = spent_budget(counted, limits)) return hold_for(*budget);
    return Run{.released = true};
  }
  if (rule(hold.reason).is_obstacle && (boot || is<ObstacleCleared>(observation))) {
    return unless_exhausted(history, counted, observation, limits, Run{});
  }
  return hold_for(hold.reason);
}

Decision decide_working(const History& history, const History& counted, const Observation& observation,
                        const Limits& limits) {
  if (is<BootBegan>(observation)) return unless_exhausted(history, counted, observation, limits, Run{});
  if (is<PhaseFailed>(observation) || is<AttemptEnded>(observation)) {
    return unless_exhausted(history, counted, observation, limits, wait_after(counted, observation, limits));
  }
  if (const auto* blocked = std::get_if<Blocked>(&observation)) return hold_for(reason_for(blocked->obstacle));
  if (is<AttemptBegan>(observation) || is<TimePassed>(observation)) {
    // While an attempt runs its own number is used up already; only time can end it.
    Limits now = limits;
    if (history.attempt_open) now.attempts_max = 0;
    if (const auto budget = spent_budget(counted, now)) return hold_for(*budget);
  }
  return Run{};
}

Decision decide_holding(const History& history, const Observation& observation, const Limits& limits) {
  const History counted = count(history, observation);
  if (is<Preempted>(observation)) return Leave{};
  if (counted.ledger_lost) return decide_without_ledger(history, observation);
  if (counted.finished) return decide_finished(history, counted, observation, limits);
  if (history.hold) return decide_held(history, counted, observation, limits);
  return decide_working(history, counted, observation, limits);
}

}  // namespace

unsigned ends_without_progress(const History& history) {
  return history.failures + history.transients + history.preemptions + history.unclean_ends;
}

Decision decide(const History& history, const Observation& observation, const Limits& limits) {
  const Decision decision = decide_holding(history, observation, limits);
  const auto* hold = std::get_if<Hold>(&decision);
  // Without a ledger nobody counts what an exit would start.
  const bool may_exit = limits.on_failure == OnFailure::kExit;
  if (hold == nullptr || !may_exit || hold->reason == HoldReason::kLedgerUnusable) return decision;
  return Exit{hold->reason, exit_code(hold->reason), hold->cause, hold->remedy};
}

History advance(History history, const Observation& observation, const Decision& decision) {
  const std::optional<HoldRecord> held = history.hold;
  history = count(history, observation);
  if (history.ledger_lost) return history;
  const auto close_boot = [&history] {
    history.boot_open = history.attempt_open = history.told_to_end = history.progressed = false;
    history.attempt_seconds = 0;
  };
  const auto* seen = std::get_if<CommitSeen>(&observation);
  const auto hold_with = [&](HoldReason reason) {
    close_boot();
    const bool silent = seen != nullptr && seen->commit == 0 && rule(reason).ends_with_upstream;
    if (history.hold && silent) history.hold->commit = 0;  // whatever it shows next is news
    if (held && held->reason == reason) return;
    if (rule(reason).is_obstacle) {
      history.hold = HoldRecord{HoldReason::kObstacle};
      return;
    }
    history.hold = HoldRecord{reason, history.configuration, history.commit, history.hardware};
    begin_counters_anew(history);
  };
  if (const auto* run = std::get_if<Run>(&decision)) {
    if (run->released) begin_counters_anew(history);
    if (run->released && is<ResumeAsked>(observation)) {
      history.attempts_used = history.seconds_used = history.seconds_paid = 0;
    }
    history.boot_open = true;  // whatever goes on is at risk and must be accounted for
    history.hold.reset();
    if (is<AttemptBegan>(observation)) {
      history.attempt_open = true;
      history.progressed = false;
      history.attempt_seconds = 0;
      history.attempts_used += history.attempts_used < UINT32_MAX ? 1 : 0;
    }
  }
  if (std::holds_alternative<TryOlderCheckpoint>(decision)) history.older_checkpoint_tried = true;
  if (const auto* hold = std::get_if<Hold>(&decision)) hold_with(hold->reason);
  if (const auto* exit = std::get_if<Exit>(&decision)) hold_with(exit->reason);
  if (std::holds_alternative<Finish>(decision)) {
    close_boot();
    history.hold.reset();
    if (held) history.conclusion_failures = 0;
  }
  return history;
}

}  // namespace policy
