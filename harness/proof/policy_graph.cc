// The environment of the proof. It may do anything that is possible at all, at any time and in any order; it need not
// be likely. Possible means:
//
//   no process   the platform starts a boot (configuration and GPUs as before, as when held, or new; with or without
//                progress found on disk), or the ledger turns out to be unusable before the boot can be recorded
//   any process  killed without a word, told to end, the ledger lost, obstacles, time, the clock, releases, commits
//   held         a boot begins anew, with another configuration
//   bootstrap    a phase fails of any cause, with the fingerprint of the failure before or another; an attempt begins
//   attempt      a claim of progress; an end of any cause, with either fingerprint, with or without an older checkpoint
//   concluding   publishing or stopping fails
//
// Kills between any two of these are states of their own, since each state can be followed by a kill. A kill between an
// observation and its record is the kill before that observation.
//
// Claims of progress are free, a minute is not: the run got further only where a claim and a minute of the same attempt
// come together. The proof keeps account of both by itself and does not ask the policy.

#include "harness/proof/policy_graph.h"

#include <algorithm>

#include "base/check.h"

namespace proof {

namespace {

using namespace policy;

constexpr std::uint64_t now = 1;    // as it is now; the canonical value
constexpr std::uint64_t then = 2;   // as it was when it failed or was held
constexpr std::uint64_t other = 3;  // neither

// --- Keys ----------------------------------------------------------------------------------------------------------

// Fields are packed in the order of the calls, and unpacked in the same.
class Packer {
 public:
  void add(std::uint64_t value, unsigned bits) {
    CHECK(value < (1ULL << bits));
    key_ |= value << used_;
    used_ += bits;
    CHECK(used_ <= 64);
  }
  std::uint64_t key() const { return key_; }

 private:
  std::uint64_t key_ = 0;
  unsigned used_ = 0;
};

class Unpacker {
 public:
  explicit Unpacker(std::uint64_t key) : key_(key) {}
  std::uint64_t take(unsigned bits) {
    const std::uint64_t value = key_ & ((1ULL << bits) - 1);
    key_ >>= bits;
    return value;
  }
  unsigned number(unsigned bits) { return static_cast<unsigned>(take(bits)); }
  bool flag() { return take(1) != 0; }

 private:
  std::uint64_t key_;
};

std::uint64_t relative(std::uint64_t remembered, std::uint64_t current) {
  if (remembered == 0) return 0;
  return remembered == current ? now : then;
}

unsigned same_failures_max(const Limits& limits) {
  return std::max({limits.same_failures, limits.same_failures_unknown, limits.same_failures_environment});
}

}  // namespace

std::uint64_t key_of(const State& state, const Limits& limits) {
  const History& history = state.history;
  Packer packer;
  packer.add(std::min(history.same_failures, same_failures_max(limits)), 3);
  packer.add(std::min(history.failures, limits.failures), 4);
  packer.add(std::min(history.transients, limits.transients), 4);
  packer.add(std::min(history.preemptions, limits.preemptions), 5);
  packer.add(std::min(history.unclean_ends, limits.unclean_ends), 3);
  packer.add(history.older_checkpoint_tried, 1);
  packer.add(history.fingerprint != 0 ? 1 : 0, 1);
  packer.add(relative(history.failure_hardware, history.hardware), 2);
  packer.add(history.failed_on_other_hardware, 1);
  packer.add(history.finished, 1);
  packer.add(std::min(history.conclusion_failures, limits.conclusion_failures), 3);
  packer.add(history.hold ? 1 + static_cast<std::uint64_t>(history.hold->reason) : 0, 5);
  const HoldRecord hold = history.hold.value_or(HoldRecord{});
  packer.add(relative(hold.configuration, history.configuration), 2);
  packer.add(relative(hold.commit, history.commit), 2);
  packer.add(relative(hold.hardware, history.hardware), 2);
  packer.add(history.commit != 0 ? 1 : 0, 1);
  packer.add(history.boot_open, 1);
  packer.add(history.attempt_open, 1);
  packer.add(history.told_to_end, 1);
  packer.add(history.progressed, 1);
  packer.add(history.attempt_seconds / History::lasting_seconds, 1);
  packer.add(history.ledger_lost, 1);
  packer.add(static_cast<std::uint64_t>(state.place), 2);
  packer.add(state.done, 1);
  packer.add(state.held, 1);
  packer.add(state.lasted, 1);
  packer.add(state.claimed, 1);
  packer.add(state.deterministic, 1);
  packer.add(static_cast<std::uint64_t>(state.saves), 2);
  packer.add(std::min(history.attempts_used, limits.attempts_max), 4);
  packer.add(std::min(history.seconds_used, limits.seconds_max) / History::lasting_seconds, 2);
  packer.add(std::min(history.seconds_paid, limits.paid_seconds_max) / History::lasting_seconds, 2);
  return packer.key();
}

State state_of(std::uint64_t key) {
  State state;
  History& history = state.history;
  Unpacker unpacker(key);
  history.same_failures = unpacker.number(3);
  history.failures = unpacker.number(4);
  history.transients = unpacker.number(4);
  history.preemptions = unpacker.number(5);
  history.unclean_ends = unpacker.number(3);
  history.older_checkpoint_tried = unpacker.flag();
  history.fingerprint = unpacker.take(1);
  history.failure_hardware = unpacker.take(2);
  history.failed_on_other_hardware = unpacker.flag();
  history.finished = unpacker.flag();
  history.conclusion_failures = unpacker.number(3);
  const int reason = static_cast<int>(unpacker.take(5)) - 1;
  HoldRecord hold;
  hold.configuration = unpacker.take(2);
  hold.commit = unpacker.take(2);
  hold.hardware = unpacker.take(2);
  if (reason >= 0) {
    hold.reason = static_cast<HoldReason>(reason);
    history.hold = hold;
  }
  history.commit = unpacker.take(1);
  history.boot_open = unpacker.flag();
  history.attempt_open = unpacker.flag();
  history.told_to_end = unpacker.flag();
  history.progressed = unpacker.flag();
  history.attempt_seconds = unpacker.number(1) * History::lasting_seconds;
  history.ledger_lost = unpacker.flag();
  state.place = static_cast<Place>(unpacker.take(2));
  state.done = unpacker.flag();
  state.held = unpacker.flag();
  state.lasted = unpacker.flag();
  state.claimed = unpacker.flag();
  state.deterministic = unpacker.flag();
  state.saves = static_cast<SavesAlongTheWay>(unpacker.take(2));
  history.attempts_used = unpacker.take(4);
  history.seconds_used = unpacker.take(2) * History::lasting_seconds;
  history.seconds_paid = unpacker.take(2) * History::lasting_seconds;
  history.configuration = now;
  history.hardware = now;
  return state;
}

namespace {

// --- Turns ---------------------------------------------------------------------------------------------------------

Place place_after(const State& state, const Decision& decision) {
  if (std::holds_alternative<Hold>(decision)) return Place::kHeld;
  if (std::holds_alternative<Finish>(decision)) return Place::kConcluding;
  if (std::holds_alternative<Leave>(decision) || std::holds_alternative<Exit>(decision)) return Place::kOff;
  return state.place == Place::kConcluding ? Place::kConcluding : Place::kWorking;
}

// Obstacles and ledger trouble are looked for anew by each boot.
bool outlives_a_restart(HoldReason reason) {
  switch (reason) {
    case HoldReason::kSecretMissing:
    case HoldReason::kGpusMissing:
    case HoldReason::kGpuCheckHung:
    case HoldReason::kCheckpointsLost:
    case HoldReason::kLeasedElsewhere:
    case HoldReason::kNodeHeld:
    case HoldReason::kCheckoutAwaited:
    case HoldReason::kStopUnsafe:
    case HoldReason::kObstacle:
    case HoldReason::kLedgerUnusable:
      return false;
    default:
      return true;
  }
}

void see_whether_it_saves(const State& before, Turn& turn) {
  const bool ends = before.history.attempt_open && (!turn.observation || !turn.next.history.attempt_open);
  if (!ends || before.saves != SavesAlongTheWay::kUndecided) return;
  const auto* end = turn.observation ? std::get_if<AttemptEnded>(&*turn.observation) : nullptr;
  turn.next.saves = end != nullptr && end->older_checkpoint ? SavesAlongTheWay::kYes : SavesAlongTheWay::kNo;
}

class TurnList {
 public:
  TurnList(const PolicyOnTrial& trial, const State& state, std::vector<Turn>& turns)
      : trial_(trial), state_(state), turns_(turns) {
    turns_.clear();
  }

  void off() {
    for (const std::uint64_t configuration : {now, then, other}) {
      if (configuration == then && !state_.history.hold) continue;
      for (const std::uint64_t hardware : {now, then, other}) {
        if (hardware == then && !state_.history.hold && state_.history.failure_hardware != then) continue;
        for (const bool older_checkpoint : {false, true}) {
          add(BootBegan{configuration, hardware, false, older_checkpoint});
          add(BootBegan{configuration, hardware, true, older_checkpoint});
        }
      }
    }
    for (const auto trouble : {LedgerTrouble::kUnreadable, LedgerTrouble::kUnwritable, LedgerTrouble::kHung}) {
      add(LedgerFailed{trouble});
    }
  }

  void any_process() {
    killed();
    add(Preempted{});
    if (!state_.history.attempt_open) add(AttemptBegan{});
    add(CommitSeen{0});
    for (const std::uint64_t identity : {now, then, other}) add(CommitSeen{identity});
    add(TimePassed{History::lasting_seconds});
    add(ClockStrange{});
    for (const auto obstacle :
         {Obstacle::kSecretMissing, Obstacle::kGpusMissing, Obstacle::kGpuCheckHung, Obstacle::kCheckpointsLost,
          Obstacle::kLeasedElsewhere, Obstacle::kNodeHeld, Obstacle::kCheckoutAwaited, Obstacle::kStopUnsafe}) {
      add(Blocked{obstacle});
    }
    add(ObstacleCleared{});
    add(ResumeAsked{});
    for (const auto trouble : {LedgerTrouble::kUnwritable, LedgerTrouble::kHung}) add(LedgerFailed{trouble});
  }

  // Another configuration was read: a boot begins in the same process.
  void held() {
    for (const std::uint64_t configuration : {then, other}) {
      for (const bool older_checkpoint : {false, true}) {
        for (const bool progress : {false, true}) add(BootBegan{configuration, now, progress, older_checkpoint});
      }
    }
  }

  void bootstrap() {
    for (const auto phase : {Phase::kSetup, Phase::kCheckout, Phase::kGpus, Phase::kCheckpoints}) {
      for (const auto cause : {Cause::kUnknown, Cause::kDeterministic, Cause::kTransient, Cause::kEnvironment}) {
        for (const std::uint64_t fingerprint : {now, other}) add(PhaseFailed{phase, cause, fingerprint});
      }
    }
    add(Progressed{});  // a checkpoint is found that the ledger did not know of
  }

  void attempt() {
    add(Progressed{});
    for (const auto cause : {Cause::kUnknown, Cause::kFinished, Cause::kDeterministic, Cause::kEnvironment,
                             Cause::kTransient, Cause::kPreempted}) {
      for (const std::uint64_t fingerprint : {now, other}) {
        for (const bool older_checkpoint : {false, true}) add(AttemptEnded{cause, fingerprint, older_checkpoint});
      }
    }
  }

  void concluding() {
    for (const auto conclusion : {Conclusion::kPublish, Conclusion::kStop}) add(ConclusionFailed{conclusion});
  }

  // What a timeline can bring about.
  void scenario() {
    const bool saves = state_.saves == SavesAlongTheWay::kYes;
    if (state_.place == Place::kOff) return add(BootBegan{now, now, false, saves});
    if (state_.place == Place::kHeld) {
      add(ResumeAsked{});
      add(CommitSeen{other});
    }
    if (state_.place == Place::kWorking && !state_.history.attempt_open) {
      add(AttemptBegan{});
      return add(PhaseFailed{Phase::kSetup, Cause::kTransient, now});
    }
    if (state_.place == Place::kWorking) scenario_attempt();
    // It would have got further, and a timeline cannot say how far.
    if (state_.place == Place::kWorking && saves) return;
    killed();
    add(Preempted{});
  }

 private:
  void scenario_attempt() {
    const bool saves = state_.saves == SavesAlongTheWay::kYes;
    if (!state_.claimed && !saves) add(Progressed{});
    if (state_.claimed && !state_.lasted) add(TimePassed{History::lasting_seconds});
    // The same error has the same cause again; of the deterministic ones a timeline knows only one.
    const bool failed_before = state_.history.fingerprint != 0;
    const auto last_cause = state_.deterministic ? Cause::kDeterministic : Cause::kUnknown;
    // One that says what it is, out of memory, is not laid to the checkpoint.
    if (failed_before) add(AttemptEnded{last_cause, now, saves && last_cause == Cause::kUnknown});
    add(AttemptEnded{Cause::kUnknown, other, saves});
    if (state_.saves == SavesAlongTheWay::kUndecided && state_.claimed) add(AttemptEnded{Cause::kUnknown, other, true});
    if (!failed_before || !state_.deterministic) add(AttemptEnded{Cause::kDeterministic, other, false});
    add(AttemptEnded{Cause::kFinished, now, false});
  }
  void add(const Observation& observation) { turns_.push_back(take_turn(trial_, state_, observation)); }
  void killed() {
    turns_.push_back({std::nullopt, std::nullopt, state_});
    turns_.back().next.place = Place::kOff;
    turns_.back().next.history.ledger_lost = false;  // that was known in memory only
    if (trial_.only_scenarios) see_whether_it_saves(state_, turns_.back());
  }

  const PolicyOnTrial& trial_;
  const State& state_;
  std::vector<Turn>& turns_;
};

// Claims and minutes, as the proof counts them: what the ledger could not take does not count for anybody.
void account(const State& before, Turn& turn) {
  const Observation& observation = *turn.observation;
  State& next = turn.next;
  const bool written = !before.history.ledger_lost;
  const auto* boot = std::get_if<BootBegan>(&observation);
  const bool claims = std::holds_alternative<Progressed>(observation) || (boot != nullptr && boot->progress_found);
  const bool lasts = std::holds_alternative<TimePassed>(observation) && before.history.attempt_open;
  next.claimed = before.claimed || (claims && written);
  next.lasted = before.lasted || (lasts && written);
  turn.progress = next.claimed && next.lasted && (claims || !before.lasted);
  const bool begins = std::holds_alternative<AttemptBegan>(observation) && next.history.attempt_open;
  const bool ends = std::holds_alternative<AttemptEnded>(observation) ||
                    std::holds_alternative<PhaseFailed>(observation) || boot != nullptr;
  if (begins || ends || next.done || next.place == Place::kHeld) next.claimed = next.lasted = false;
}

}  // namespace

Turn take_turn(const PolicyOnTrial& trial, const State& state, const Observation& observation) {
  Turn turn{observation, trial.decide(state.history, observation, trial.limits), state};
  const Decision& decision = *turn.decision;
  State& next = turn.next;
  next.history = trial.advance(state.history, observation, decision);
  next.place = place_after(state, decision);
  if (next.place == Place::kOff) next.history.ledger_lost = false;
  const auto* end = std::get_if<AttemptEnded>(&observation);
  if (end != nullptr && end->cause == Cause::kFinished && !state.history.ledger_lost) next.done = true;
  if (const auto* hold = std::get_if<Hold>(&decision)) next.held = state.held || outlives_a_restart(hold->reason);
  if (std::holds_alternative<Run>(decision) || std::holds_alternative<Finish>(decision)) next.held = false;
  account(state, turn);
  if (trial.only_scenarios && end != nullptr) next.deterministic = end->cause == Cause::kDeterministic;
  if (trial.only_scenarios) see_whether_it_saves(state, turn);
  return turn;
}

void list_turns(const PolicyOnTrial& trial, const State& state, std::vector<Turn>& turns) {
  TurnList list(trial, state, turns);
  if (trial.only_scenarios) return list.scenario();
  if (state.place == Place::kOff) return list.off();
  list.any_process();
  if (state.place == Place::kConcluding) list.concluding();
  if (state.place == Place::kHeld) list.held();
  if (state.place != Place::kWorking) return;
  if (state.history.attempt_open) {
    list.attempt();
  } else {
    list.bootstrap();
  }
}

}  // namespace proof
