// Turns of the policy graph in words, and as a scenario.
#pragma once

#include <string>
#include <vector>

#include "harness/explore/prove.h"

namespace explore {

PathStep describe(const State& before, const Turn& turn);

// One turn of a path, with the state it starts from.
struct PathTurn {
  State before;
  Turn turn;
};

// Fills `scenario` or `why_no_scenario`.
void write_scenario(const std::vector<PathTurn>& path, Refutation& refutation);

}  // namespace explore
