#include "harness/explore/prove_words.h"

#include <fmt/format.h>

#include <utility>

namespace explore {

namespace {

using namespace policy;

struct Describe {
  const State& before;

  std::string error(std::uint64_t fingerprint) const {
    if (before.history.same_failures == 0) return "an error";
    return fingerprint == before.history.fingerprint ? "the same error as before" : "another error";
  }
  std::string identity(std::uint64_t value, std::uint64_t held_under) const {
    if (before.history.hold && value == held_under) return "as when it was held";
    return value == 1 ? "unchanged" : "changed";
  }
  HoldRecord hold() const { return before.history.hold.value_or(HoldRecord{}); }

  std::string operator()(const BootBegan& boot) const {
    return fmt::format("a boot begins (configuration {}, GPUs {}{}{})",
                       identity(boot.configuration, hold().configuration), identity(boot.hardware, hold().hardware),
                       boot.progress_found ? ", new progress on disk" : "",
                       boot.older_checkpoint ? ", an older checkpoint" : "");
  }
  std::string operator()(const PhaseFailed& failed) const {
    return fmt::format("{} fails: {}, {}", name(failed.phase), name(failed.cause), error(failed.fingerprint));
  }
  std::string operator()(const Blocked& blocked) const { return fmt::format("in the way: {}", name(blocked.obstacle)); }
  std::string operator()(const AttemptBegan&) const { return "an attempt begins"; }
  std::string operator()(const Progressed&) const { return "progress"; }
  std::string operator()(const AttemptEnded& end) const {
    if (end.cause == Cause::kFinished) return "the attempt finishes the run";
    return fmt::format("the attempt ends: {}, {}{}", name(end.cause), error(end.fingerprint),
                       end.older_checkpoint ? "; there is an older checkpoint" : "");
  }
  std::string operator()(const Preempted&) const { return "told to end"; }
  std::string operator()(const TimePassed&) const { return "time passes"; }
  std::string operator()(const LedgerFailed& failed) const {
    return fmt::format("the ledger is {}", name(failed.trouble));
  }
  std::string operator()(const ClockStrange&) const { return "the clock jumps"; }
  std::string operator()(const ConclusionFailed& failed) const {
    return fmt::format("{} fails", name(failed.conclusion));
  }
  std::string operator()(const CommitSeen& seen) const {
    return fmt::format("a commit is seen ({})", identity(seen.commit, hold().commit));
  }
  std::string operator()(const ConfigurationSeen& seen) const {
    return fmt::format("the configuration is read ({})", identity(seen.configuration, hold().configuration));
  }
  std::string operator()(const ObstacleCleared&) const { return "what was in the way is gone"; }
  std::string operator()(const ResumeAsked&) const { return "`podlaunch resume`"; }
};

std::string describe(const Decision& decision) {
  if (const auto* hold = std::get_if<Hold>(&decision)) return fmt::format("hold ({})", name(hold->reason));
  if (const auto* exit = std::get_if<Exit>(&decision))
    return fmt::format("exit {} ({})", exit->code, name(exit->reason));
  const auto* run = std::get_if<policy::Run>(&decision);
  return run != nullptr && run->released ? "run (released)" : std::string(name(decision));
}

// --- Scenarios -----------------------------------------------------------------------------------------------------

// Builds a timeline whose worlds take the same turns, as far as a timeline has words for them.
class TimelineWriter {
 public:
  std::string lines;
  std::string missing;  // what it has no words for
  int boots = 0;

  void take(const PathTurn& step) {
    if (!step.turn.observation) return end_boot("kill-container");
    std::visit([&](const auto& observation) { take(step, observation); }, *step.turn.observation);
  }

 private:
  static constexpr int first_step = 5;  // before the first checkpoint
  static constexpr int steps_of_progress = 20;

  void entry(const std::string& when, const std::string& action) {
    lines += fmt::format("  - {{when: {{{}}}, do: {}}}\n", when, action);
  }
  void end_boot(const std::string& action) {
    if (std::exchange(told_to_end_, false)) return;  // the interruption kills, too
    if (failing_ && training_) {
      missing = "an attempt that is ended from outside in a boot whose attempt before failed";
    }
    entry(fmt::format("boot: {}, {}", boots, training_ ? fmt::format("step: {}", step_) : "after: 1s"), action);
    training_ = false;
  }
  void fail(std::uint64_t fingerprint, const State& before) {
    if (before.history.same_failures > 0 && fingerprint != before.history.fingerprint) ++fault_;
    static constexpr const char* faults[] = {"crash", "oom", "segfault"};
    const std::string fault = faults[static_cast<std::size_t>(fault_) % std::size(faults)];
    if (failing_ && *failing_ != fault) missing = "two errors in one boot";
    if (!failing_)
      entry(fmt::format("boot: {}, step: {}, every: true", boots, step_), fmt::format("{{trainer: {}}}", fault));
    failing_ = fault;
    training_ = false;
  }

  void take(const PathTurn&, const BootBegan& boot) {
    if (boot.configuration != 1 || boot.hardware != 1) missing = "another configuration or another GPU";
    ++boots;
    training_ = false;
    told_to_end_ = false;
    failed_setups_ = 0;
    failing_.reset();
    if (boot.progress_found) step_ += steps_of_progress;
  }
  void take(const PathTurn&, const AttemptBegan&) { training_ = true; }
  void take(const PathTurn&, const Progressed&) { step_ += steps_of_progress; }
  void take(const PathTurn& step, const AttemptEnded& end) {
    if (end.cause == Cause::kTransient || end.cause == Cause::kPreempted) missing = "a trainer's end of that cause";
    if (end.cause != Cause::kFinished) fail(end.fingerprint, step.before);
  }
  void take(const PathTurn&, const PhaseFailed& failed) {
    if (failing_) missing = "a setup that fails after an attempt did";
    if (failed.phase != Phase::kSetup) missing = fmt::format("a failure of {}", name(failed.phase));
    if (failed_setups_ > 0) lines.resize(before_setup_failures_);
    before_setup_failures_ = lines.size();
    entry(fmt::format("boot: {}", boots), fmt::format("{{pip-fails: {}}}", ++failed_setups_));
  }
  void take(const PathTurn&, const Preempted&) {
    end_boot("spot-interrupt");
    told_to_end_ = true;
  }
  void take(const PathTurn& step, const CommitSeen& seen) {
    if (seen.commit == 1 || !step.before.history.hold) return;
    entry(fmt::format("boot: {}, after: 10m", boots), "upstream-commit");
  }
  void take(const PathTurn&, const TimePassed&) {}
  template <class T>
  void take(const PathTurn& step, const T&) {
    missing = explore::describe(step.before, step.turn).happens;
  }

  int step_ = first_step;
  int fault_ = 0;
  int failed_setups_ = 0;
  std::size_t before_setup_failures_ = 0;
  bool training_ = false;
  bool told_to_end_ = false;
  std::optional<std::string> failing_;
};

}  // namespace

PathStep describe(const State& before, const Turn& turn) {
  if (!turn.observation) return {"everything is killed without a word", ""};
  return {std::visit(Describe{before}, *turn.observation), describe(*turn.decision)};
}

void write_scenario(const std::vector<PathTurn>& path, Refutation& refutation) {
  constexpr int rounds = 4;  // of a loop: enough to be seen
  TimelineWriter timeline;
  const std::size_t first = refutation.repeats_from.value_or(path.size());
  for (std::size_t i = 0; i < first; ++i) timeline.take(path[i]);
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t i = first; i < path.size(); ++i) timeline.take(path[i]);
  }
  if (!timeline.missing.empty()) {
    refutation.why_no_scenario = timeline.missing;
    return;
  }
  refutation.scenario = fmt::format(
      "name: a path that refutes the policy\n"
      "story: \"{}: {}.\"\n"
      "start:\n"
      "  podlaunch:\n"
      "    repo: https://github.com/nexthybrid/AReaL.git\n"
      "    ref: DL4Math\n"
      "    checkout: /workspace/AReaL\n"
      "    setup: [pip install -e .]\n"
      "    train: [bash, examples/cloud_gsm8k/run_training_cloud.sh, 1hour]\n",
      refutation.promise, refutation.reason);
  if (!timeline.lines.empty()) refutation.scenario += "timeline:\n" + timeline.lines;
}

}  // namespace explore
