// Every decision that could loop or destroy: what is remembered of the run plus what this moment shows gives what to
// do. Pure values in, pure values out. How a boot uses it:
//
//   decision = decide(history, observation, limits);
//   append {observation, decision} to the ledger;            // before anything that the decision risks
//   history = advance(history, observation, decision);       // only after the append succeeded
//
// Replaying the ledger is the same fold, so a restart knows exactly what the boot before it knew.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

namespace policy {

// What an attempt or a phase ended of, as far as anybody can tell.
enum class Cause {
  kTransient,      // the network, an index, a service: likely gone in a while
  kEnvironment,    // this machine: driver, ECC, Xid, a full disk
  kDeterministic,  // the code or the configuration: the same again next time
  kPreempted,      // ended from outside
  kFinished,       // done, as --done-when defines it
  kUnknown,
};

// Where a boot can fail before the training runs.
enum class Phase { kGpus, kCheckout, kSetup, kCheckpoints };

// What no retry within this boot can mend.
enum class Obstacle {
  kSecretMissing,
  kGpusMissing,      // fewer than asked for, or none
  kGpuCheckHung,     // nvidia-smi did not answer within its deadline
  kCheckpointsLost,  // the run had checkpoints, none can be used: never restart from step 0 silently
  kLeasedElsewhere,  // another living pod holds the lease of this run
  kNodeHeld,         // another node of the cluster is held, and the training needs it
  kCheckoutAwaited,  // node 0 has not brought up the checkout that the nodes share
  kStopUnsafe,       // ending the pod would delete what exists nowhere else
};

enum class LedgerTrouble { kUnreadable, kUnwritable, kHung };

enum class Conclusion { kPublish, kStop };  // what is left to do once a run has finished

// --- Observations --------------------------------------------------------------------------------------------------

// The identities are hashes; 0 is "not known". Only equality matters.
struct BootBegan {
  std::uint64_t configuration = 0;
  std::uint64_t hardware = 0;     // of the UUIDs of the GPUs
  bool progress_found = false;    // the disks show more progress than the ledger knew of
  bool older_checkpoint = false;  // there is a checkpoint before the newest one
};
struct PhaseFailed {
  Phase phase = Phase::kSetup;
  Cause cause = Cause::kUnknown;
  std::uint64_t fingerprint = 0;
};
struct Blocked {
  Obstacle obstacle = Obstacle::kSecretMissing;
};
struct AttemptBegan {};  // written ahead of the training command
struct Progressed {};    // the high-water mark of the run grew, or so it is claimed: see History::lasting_seconds
struct AttemptEnded {
  Cause cause = Cause::kUnknown;  // kFinished: done
  std::uint64_t fingerprint = 0;
  bool older_checkpoint = false;
  std::uint64_t seconds = 0;  // passed since the last TimePassed, where that does not tell them itself
};
struct Preempted {};  // told to end (SIGTERM to PID 1)
struct TimePassed {
  std::uint64_t seconds = 0;
};  // paid for, by the monotonic clock, since the last such record; all of it training while an attempt runs
struct LedgerFailed {
  LedgerTrouble trouble = LedgerTrouble::kUnwritable;
};
struct ClockStrange {};  // the wall clock contradicts the ledger; no decision reads it
struct ConclusionFailed {
  Conclusion conclusion = Conclusion::kPublish;
};
struct CommitSeen {
  std::uint64_t commit = 0;
};  // checked out, or newest upstream while held; 0: upstream does not answer
// What was held for is no longer there. After ledger trouble: the ledger was opened again, its history is the history.
struct ObstacleCleared {};
struct ResumeAsked {};  // `podlaunch resume`

using Observation =
    std::variant<BootBegan, PhaseFailed, Blocked, AttemptBegan, Progressed, AttemptEnded, Preempted, TimePassed,
                 LedgerFailed, ClockStrange, ConclusionFailed, CommitSeen, ObstacleCleared, ResumeAsked>;

// --- Decisions -----------------------------------------------------------------------------------------------------

enum class HoldReason {
  kSameFailure,
  kManyFailures,
  kTransientFailures,
  kPreemptionStorm,
  kUncleanEnds,
  kNoProgress,
  kHardware,
  kGpusUnusable,
  kCheckoutFailed,
  kSetupFailed,
  kCheckpointsUnusable,
  kSecretMissing,
  kGpusMissing,
  kGpuCheckHung,
  kCheckpointsLost,
  kLeasedElsewhere,
  kNodeHeld,
  kCheckoutAwaited,
  kStopUnsafe,
  kObstacle,  // remembered for any of the eight above: each boot looks again, so which one it was decides nothing
  kLedgerUnusable,
  kAttemptBudget,
  kTimeBudget,
  kCostBudget,
  kPublishFailed,
  kStopFailed,
};
inline constexpr int hold_reason_count = static_cast<int>(HoldReason::kStopFailed) + 1;

// Go on with what this boot was about to do. `released`: a hold ends here and the counters begin anew.
struct Run {
  bool released = false;
};
// Do what failed again after a wait that the caller draws from [earliest, latest].
struct Retry {
  unsigned earliest_seconds = 0;
  unsigned latest_seconds = 0;
};
struct TryOlderCheckpoint {  // set the newest checkpoint aside, wait as for Retry, then train
  unsigned earliest_seconds = 0;
  unsigned latest_seconds = 0;
};
struct Hold {  // stay alive, idle, and say why
  HoldReason reason = HoldReason::kSameFailure;
  std::string_view cause;   // what happened, a sentence
  std::string_view remedy;  // what the reader can do now
};
struct Finish {};  // the run is done: publish, then what --on-complete asks for
struct Leave {};   // asked to end: end the training, leave with 128+N
struct Exit {      // only under OnFailure::kExit
  HoldReason reason = HoldReason::kSameFailure;
  int code = 1;
  std::string_view cause;
  std::string_view remedy;
};

using Decision = std::variant<Run, Retry, TryOlderCheckpoint, Hold, Finish, Leave, Exit>;

// --- What is remembered --------------------------------------------------------------------------------------------

struct HoldRecord {
  HoldReason reason = HoldReason::kSameFailure;
  std::uint64_t configuration = 0;  // what it was held under: a change releases
  std::uint64_t commit = 0;
  std::uint64_t hardware = 0;
  bool operator==(const HoldRecord&) const = default;
};

// Counters saturate at `counter_max`. Those of the first group go back to 0 only at progress or at a release.
struct History {
  static constexpr unsigned counter_max = 99;
  // Progress is believed of an attempt that has lasted so long. A file that merely looks newer costs nothing to make; a
  // minute of training costs a minute.
  static constexpr unsigned lasting_seconds = 60;

  unsigned same_failures = 0;  // in a row, of one fingerprint
  unsigned failures = 0;       // of any cause but the two below, in attempts and phases
  unsigned transients = 0;
  unsigned preemptions = 0;
  unsigned unclean_ends = 0;  // of boots: nobody wrote an end, PID 1 was killed
  bool older_checkpoint_tried = false;
  // These three outlast progress and release, until an error with another fingerprint comes: a machine that was blamed
  // is cleared when the same error follows the run to another one.
  std::uint64_t fingerprint = 0;          // what `same_failures` counts
  std::uint64_t failure_hardware = 0;     // where it was first seen
  bool failed_on_other_hardware = false;  // and then on another: the code, not the machine

  bool finished = false;
  unsigned conclusion_failures = 0;
  std::optional<HoldRecord> hold;

  bool boot_open = false;  // a boot is at risk: written ahead, its end not yet accounted for
  bool attempt_open = false;
  bool told_to_end = false;      // that boot was preempted
  bool progressed = false;       // claimed since the last end that was accounted for
  unsigned attempt_seconds = 0;  // of the attempt not yet accounted for; saturates at lasting_seconds
  bool ledger_lost = false;      // in memory only: nothing since then is on disk

  std::uint64_t configuration = 0;
  std::uint64_t commit = 0;
  std::uint64_t hardware = 0;

  std::uint64_t attempts_used = 0;  // against the budgets; preempted ones are given back
  std::uint64_t seconds_used = 0;   // of training
  std::uint64_t seconds_paid = 0;   // of boots, as far as they were written down

  bool operator==(const History&) const = default;
};

enum class OnFailure { kHold, kExit };

// The numbers, and why: see policy.cc. None of the counters' limits may exceed History::counter_max.
struct Limits {
  unsigned same_failures = 3;              // of a deterministic cause
  unsigned same_failures_unknown = 4;      // of a training that ended for no known cause
  unsigned same_failures_environment = 6;  // of this machine, or of a phase that failed for no known cause
  unsigned failures = 6;
  unsigned transients = 10;
  unsigned preemptions = 20;
  unsigned unclean_ends = 4;
  unsigned ends_without_progress = 24;  // of all kinds together
  unsigned conclusion_failures = 5;
  unsigned backoff_seconds_min = 10;
  unsigned backoff_seconds_max = 300;
  unsigned patient_seconds_min = 60;  // after what may pass by itself, though nobody knows when
  unsigned patient_seconds_max = 600;
  std::uint64_t attempts_max = 0;      // budgets; 0: none
  std::uint64_t seconds_max = 0;       // --max-hours
  std::uint64_t paid_seconds_max = 0;  // --max-cost divided by --price; of all that is paid, not of training alone
  OnFailure on_failure = OnFailure::kHold;
};

Decision decide(const History& history, const Observation& observation, const Limits& limits);

// The history after `observation` was answered with `decision`. Never looks at limits: the ledger outlives them.
History advance(History history, const Observation& observation, const Decision& decision);

// How many ends of any kind there were since the last progress or release.
unsigned ends_without_progress(const History& history);

// --- Words ---------------------------------------------------------------------------------------------------------

Hold hold_for(HoldReason reason);  // with cause and remedy
int exit_code(HoldReason reason);  // 70 and up, one per reason, documented in the guide
std::string_view name(HoldReason reason);
std::string_view name(Cause cause);
std::string_view name(Phase phase);
std::string_view name(Obstacle obstacle);
std::string_view name(LedgerTrouble trouble);
std::string_view name(Conclusion conclusion);
std::string_view name(const Observation& observation);  // "boot-began"
std::string_view name(const Decision& decision);        // "hold"

}  // namespace policy
