// The policy on trial: explores everything that can happen to it, and says PROVEN with bounds or REFUTED with a path.
#pragma once

#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "harness/proof/policy_graph.h"

namespace proof {

struct PathStep {
  std::string happens;   // "the training ends: unknown cause, the same error as before"
  std::string decision;  // "retry"; empty when everything was killed
};

struct Refutation {
  std::string promise;
  std::string reason;
  std::vector<PathStep> path;               // a shortest one
  std::optional<std::size_t> repeats_from;  // for a loop: the path goes on from its end to this step, for ever
  std::string scenario;                     // a scenario that replays it; empty where scenarios have no word for a step
  std::string why_no_scenario;              // then: which
};

struct ProveResult {
  std::size_t states = 0;
  std::size_t edges = 0;
  std::size_t depth = 0;      // turns from the start to the furthest state
  double seconds = 0;         // of real time
  unsigned boots_max = 0;     // without progress, before it holds or stops
  unsigned attempts_max = 0;  // likewise
  std::optional<Refutation> refutation;
  bool proven() const { return !refutation; }
};

// `progress` is told the number of states found so far, now and then; it may be empty.
ProveResult prove(const PolicyOnTrial& trial, const std::function<void(std::size_t states)>& progress = {});

// The shapes that ship, with numbers small enough to be multiplied by more.
policy::Limits small_limits();

// Proves podlaunch's own policy as it ships, once for each way to end and once under budgets; says so on `out`.
// `progress_line` is called with a line that replaces the one before. Returns 0 when proven, 1 when refuted.
int run_prove(std::ostream& out, const std::function<void(const std::string&)>& progress_line = {});

// The verdict in words.
void print(std::ostream& out, const std::string& title, const ProveResult& result);

}  // namespace proof
