// What is proven, about the very function that podlaunch ships, for every environment (see policy_graph.cc):
//
//   never loops            no cycle without progress, a release, a hold or a stop on which anything is started; hence a
//                          longest path, whose boots and attempts are the bounds that the verdict prints. Attempts
//                          that end within a minute make no progress, whatever they claim
//   no false hold          once an attempt runs, an environment that only preempts, after progress and after a minute
//                          of training, never brings a hold
//   finished is final      no turn after a recorded finish starts work or forgets it
//   a release leads on     out of a hold, `resume` always and any other release when granted, an attempt may begin
//   a hold lasts           nothing but a release, or its obstacle going, ends it: not a restart
//   a hold explains        each carries cause and remedy
//
// The last four can each be seen on a single turn and are checked while exploring; the first two need the whole graph.

#include "harness/proof/prove.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <ostream>

#include "base/check.h"
#include "harness/proof/policy_exploration.h"
#include "harness/proof/policy_loops.h"
#include "harness/proof/prove_words.h"

namespace proof {

namespace {

using namespace policy;

class Proof {
 public:
  explicit Proof(const PolicyOnTrial& trial) : trial_(trial), exploration_(trial) {}

  ProveResult run(const std::function<void(std::size_t)>& progress) {
    const auto began = std::chrono::steady_clock::now();
    exploration_.run(progress);
    ProveResult result;
    if (exploration_.bad_turn()) {
      result.refutation = refute_turn(*exploration_.bad_turn());
    } else {
      const LoopFreedom loops = find_loops(exploration_);
      if (loops.loop) result.refutation = refute_loop(*loops.loop);
      if (!result.refutation) result.refutation = find_false_hold();
      result.boots_max = loops.boots_max;
      result.attempts_max = loops.attempts_max;
    }
    result.states = exploration_.states();
    result.edges = exploration_.edges();
    result.depth = exploration_.depth();
    result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    return result;
  }

 private:
  // The first turn in the list that leads from one node to the other, and starts something where that is asked for.
  Turn turn_between(std::uint32_t from, std::uint32_t to, bool barren = false, bool starts_something = false) const {
    const State before = exploration_.state(from);
    std::vector<Turn> turns;
    list_turns(trial_, before, turns);
    for (const Turn& turn : turns) {
      if (exploration_.node_of(turn.next) != to) continue;
      const auto edge = barren_edge(trial_, before, turn);
      if (barren && !edge) continue;
      if (!starts_something || edge->starts_something()) return turn;
    }
    CHECK(false);
  }

  std::vector<PathTurn> path_to(std::uint32_t node) const {
    std::vector<PathTurn> path;
    while (exploration_.parent(node) != no_node) {
      const std::uint32_t parent = exploration_.parent(node);
      path.push_back({exploration_.state(parent), turn_between(parent, node)});
      node = parent;
    }
    std::reverse(path.begin(), path.end());
    return path;
  }

  static Refutation refutation(std::string promise, std::string reason, const std::vector<PathTurn>& path,
                               std::optional<std::size_t> repeats_from = std::nullopt) {
    Refutation refuted{std::move(promise), std::move(reason), {}, repeats_from, {}, {}};
    for (const PathTurn& step : path) refuted.path.push_back(describe(step.before, step.turn));
    write_scenario(path, refuted);
    return refuted;
  }

  Refutation refute_turn(const BadTurn& bad) const {
    auto path = path_to(bad.node);
    path.push_back({exploration_.state(bad.node), bad.turn});
    return refutation(bad.promise, bad.reason, path);
  }

  Refutation refute_loop(const Loop& loop) const {
    auto path = path_to(loop.nodes.front());
    const std::size_t repeats_from = path.size();
    for (std::size_t i = 0; i < loop.nodes.size(); ++i) {
      const std::uint32_t from = loop.nodes[i];
      const std::uint32_t to = loop.nodes[(i + 1) % loop.nodes.size()];
      path.push_back({exploration_.state(from), turn_between(from, to, true, i == 0)});
    }
    return refutation("never loops", "these turns repeat for ever without progress, hold or stop", path, repeats_from);
  }

  // What a kind environment can do to a run that progresses: each attempt gets further and lasts for a minute, in
  // either order, and is then ended from outside.
  void list_kind_turns(const State& state, std::vector<Turn>& turns) const {
    turns.clear();
    const auto add = [&](const Observation& observation) { turns.push_back(take_turn(trial_, state, observation)); };
    const bool playable = trial_.only_scenarios;
    if (state.place == Place::kOff) {
      add(BootBegan{1, 1, false, false});
      if (playable) return;
      add(BootBegan{1, 1, false, true});
      add(BootBegan{1, 3, false, false});
      add(BootBegan{1, 3, false, true});
    } else if (!state.history.attempt_open) {
      add(AttemptBegan{});
      if (playable) return;
      add(CommitSeen{1});
      add(CommitSeen{3});
    } else if (!state.claimed || !state.lasted) {
      if (!state.claimed) add(Progressed{});
      if (!state.lasted && (state.claimed || !playable)) add(TimePassed{History::lasting_seconds});
    } else {
      add(Preempted{});
      turns.push_back({std::nullopt, std::nullopt, state});
      turns.back().next.place = Place::kOff;
      if (playable) return;
      add(Progressed{});
      add(AttemptEnded{Cause::kPreempted, 1, false});
    }
  }

  static std::optional<HoldReason> reason_to_stop(const Turn& turn) {
    if (!turn.decision) return std::nullopt;
    if (const auto* hold = std::get_if<Hold>(&*turn.decision)) return hold->reason;
    if (const auto* exit = std::get_if<Exit>(&*turn.decision)) return exit->reason;
    return std::nullopt;
  }

  // A budget is a wish of the user: reaching it is never false.
  static bool is_budget(HoldReason reason) {
    return reason == HoldReason::kAttemptBudget || reason == HoldReason::kTimeBudget ||
           reason == HoldReason::kCostBudget;
  }

  std::optional<Refutation> find_false_hold() const {
    constexpr std::uint32_t not_seen = no_node - 1;
    std::vector<std::uint32_t> came_from(exploration_.states(), not_seen);
    std::vector<std::uint32_t> queue;
    for (std::uint32_t node = 0; node < exploration_.states(); ++node) {
      const State state = exploration_.state(node);
      const bool starts = state.place == Place::kWorking && state.history.attempt_open && !state.history.ledger_lost;
      if (!starts || state.done) continue;
      came_from[node] = no_node;
      queue.push_back(node);
    }
    std::vector<Turn> turns;
    for (std::size_t at = 0; at < queue.size(); ++at) {
      const std::uint32_t from = queue[at];
      list_kind_turns(exploration_.state(from), turns);
      for (const Turn& turn : turns) {
        if (const auto reason = reason_to_stop(turn)) {
          if (is_budget(*reason)) continue;
          return refute_false_hold(from, came_from, turn);
        }
        const std::uint32_t target = exploration_.node_of(turn.next);
        CHECK(target != no_node || trial_.only_scenarios);
        if (target == no_node || came_from[target] != not_seen) continue;
        came_from[target] = from;
        queue.push_back(target);
      }
    }
    return std::nullopt;
  }

  Refutation refute_false_hold(std::uint32_t last, const std::vector<std::uint32_t>& came_from,
                               const Turn& turn) const {
    std::vector<std::uint32_t> way;
    for (std::uint32_t at = last; at != no_node; at = came_from[at]) way.push_back(at);
    std::reverse(way.begin(), way.end());
    auto path = path_to(way.front());
    std::vector<Turn> turns;
    for (std::size_t i = 0; i + 1 < way.size(); ++i) {
      const State before = exploration_.state(way[i]);
      list_kind_turns(before, turns);
      const auto next = std::find_if(turns.begin(), turns.end(), [&](const Turn& candidate) {
        return exploration_.node_of(candidate.next) == way[i + 1];
      });
      CHECK(next != turns.end());
      path.push_back({before, *next});
    }
    path.push_back({exploration_.state(last), turn});
    return refutation("no hold without a reason",
                      "it held although the run was only preempted, each time after progress", path);
  }

  const PolicyOnTrial& trial_;
  PolicyExploration exploration_;
};

}  // namespace

ProveResult prove(const PolicyOnTrial& trial, const std::function<void(std::size_t states)>& progress) {
  ProveResult result = Proof(trial).run(progress);
  if (result.proven() || !result.refutation->scenario.empty()) return result;
  // A path that simrun can replay is worth more than one that is a turn shorter.
  PolicyOnTrial replayable = trial;
  replayable.only_scenarios = true;
  auto again = Proof(replayable).run({});
  const bool better = again.refutation && again.refutation->promise == result.refutation->promise &&
                      !again.refutation->scenario.empty();
  if (better) result.refutation = std::move(again.refutation);
  return result;
}

void print(std::ostream& out, const std::string& title, const ProveResult& result) {
  const double per_second = static_cast<double>(result.states) / std::max(result.seconds, 1e-9);
  out << fmt::format("{} {}: {} states, {} edges, depth {}, in {:.1f} s ({:.0f} states a second)\n",
                     result.proven() ? "PROVEN " : "REFUTED", title, result.states, result.edges, result.depth,
                     result.seconds, per_second);
  if (result.proven()) {
    out << fmt::format("        without progress: at most {} boots and {} attempts, then it holds or stops\n",
                       result.boots_max, result.attempts_max);
    return;
  }
  const Refutation& refuted = *result.refutation;
  out << fmt::format("        broken: {}: {}\n", refuted.promise, refuted.reason);
  for (std::size_t i = 0; i < refuted.path.size(); ++i) {
    if (refuted.repeats_from == i) out << "        from here on for ever:\n";
    const PathStep& step = refuted.path[i];
    out << fmt::format("        {:3}. {}{}{}\n", i + 1, step.happens, step.decision.empty() ? "" : " → ",
                       step.decision);
  }
  if (refuted.scenario.empty()) {
    out << fmt::format("        no scenario: a timeline has no words for: {}\n", refuted.why_no_scenario);
  } else {
    out << "\n" << refuted.scenario;
  }
}

Limits small_limits() {
  Limits limits;
  limits.same_failures = 2;
  limits.same_failures_unknown = limits.same_failures_environment = 3;
  limits.failures = limits.transients = limits.preemptions = limits.unclean_ends = 3;
  limits.ends_without_progress = 6;
  limits.conclusion_failures = 2;
  return limits;
}

static std::string describe(const Limits& limits) {
  std::string words =
      fmt::format("same failures {}/{}/{}, failures {}, transients {}, preemptions {}, unclean ends {}, all {}",
                  limits.same_failures, limits.same_failures_unknown, limits.same_failures_environment, limits.failures,
                  limits.transients, limits.preemptions, limits.unclean_ends, limits.ends_without_progress);
  if (limits.attempts_max != 0)
    words += fmt::format("; budgets: {} attempts, {} min of training, {} min in all", limits.attempts_max,
                         limits.seconds_max / 60, limits.paid_seconds_max / 60);
  return words;
}

int run_prove(std::ostream& out, const std::function<void(const std::string&)>& progress_line) {
  PolicyOnTrial exiting;  // more than the small limits, and less than what takes a minute more
  exiting.limits.transients = 5;
  exiting.limits.preemptions = 5;
  exiting.limits.ends_without_progress = 12;
  exiting.limits.on_failure = OnFailure::kExit;
  PolicyOnTrial budgets;
  budgets.limits = small_limits();
  budgets.limits.attempts_max = 4;
  budgets.limits.seconds_max = 2ULL * History::lasting_seconds;
  budgets.limits.paid_seconds_max = 3ULL * History::lasting_seconds;
  const std::pair<std::string, PolicyOnTrial> trials[] = {
      {"as it ships", {}}, {"failures exit, smaller limits", exiting}, {"with budgets, smaller limits", budgets}};
  bool proven = true;
  for (const auto& [title, trial] : trials) {
    const ProveResult result = prove(trial, [&](std::size_t states) {
      if (progress_line) progress_line(fmt::format("proving: {}: {} states", title, states));
    });
    print(out, title, result);
    out << fmt::format("        limits: {}\n", describe(trial.limits));
    proven = proven && result.proven();
  }
  out << "Progress is a claim of it by an attempt that lasts a minute; what shorter ones claim is nothing here.\n"
         "Assumed: what the ledger wrote stays written, and a minute of training that claims progress has made some.\n";
  return proven ? 0 : 1;
}

}  // namespace proof
