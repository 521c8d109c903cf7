#include "harness/proof/prove_words.h"

#include <fmt/format.h>

#include <algorithm>

#include "harness/proof/scenario_writer.h"

namespace proof {

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
    if (seen.commit == 0) return "upstream does not answer";
    return fmt::format("a commit is seen ({})", identity(seen.commit, hold().commit));
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

}  // namespace

PathStep describe(const State& before, const Turn& turn) {
  if (!turn.observation) return {"everything is killed without a word", ""};
  return {std::visit(Describe{before}, *turn.observation), describe(*turn.decision)};
}

// How often the turns of a loop are written: so often that a sound policy has long given up. A training that is started
// again and again within one boot is called a loop after 30 times, boots that end by themselves after six.
static int rounds_of(const std::vector<PathTurn>& path, std::size_t first) {
  bool told_to_end = false;
  bool boots = false;
  for (std::size_t i = first; i < path.size(); ++i) {
    const auto& observation = path[i].turn.observation;
    told_to_end = told_to_end || (observation && std::holds_alternative<Preempted>(*observation));
    boots = boots || (observation && std::holds_alternative<BootBegan>(*observation));
  }
  if (told_to_end) return 24;
  return boots ? 10 : 34;
}

static std::string expected_end(const std::string& promise, const ScenarioWriter& writer) {
  if (promise == "never loops") return "  outcome: held\n";
  if (promise == "a hold lasts until released")
    return fmt::format("  outcome: held\n  attempts: {}\n", writer.attempts());
  if (promise == "every hold says why and what to do") return "  outcome: held\n  log: ['hold: what to do: [A-Z]']\n";
  return "  outcome: completed\n";
}

void write_scenario(const std::vector<PathTurn>& path, Refutation& refutation) {
  ScenarioWriter writer;
  const std::size_t first = refutation.repeats_from.value_or(path.size());
  const int rounds = rounds_of(path, first);
  bool written = true;
  for (std::size_t i = 0; written && i < first; ++i) written = writer.add(path[i].before, path[i].turn);
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t i = first; written && i < path.size(); ++i) written = writer.add(path[i].before, path[i].turn);
  }
  if (!written) {
    refutation.why_no_scenario = writer.missing();
    return;
  }
  if (first < path.size()) writer.repeat_for_ever();
  refutation.scenario =
      writer.text("a path that refutes the policy", fmt::format("{}: {}.", refutation.promise, refutation.reason),
                  expected_end(refutation.promise, writer));
}

}  // namespace proof
