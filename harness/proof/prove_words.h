// Turns of the policy graph in words, and as a scenario.
#pragma once

#include <string>
#include <vector>

#include "harness/proof/prove.h"

namespace proof {

PathStep describe(const State& before, const Turn& turn);

// One turn of a path, with the state it starts from.
struct PathTurn {
  State before;
  Turn turn;
};

// Fills `scenario` or `why_no_scenario`. What the scenario expects is what the sound policy does, so that it fails
// where the one on trial is at work.
void write_scenario(const std::vector<PathTurn>& path, Refutation& refutation);

}  // namespace proof
