// Mutated policies on trial.
#pragma once

#include <iosfwd>
#include <string>

#include "harness/proof/mutations.h"
#include "harness/proof/prove.h"

namespace proof {

PolicyOnTrial on_trial(const Mutation& mutation);

// First among the turns that a world can play, with the limits that ship, so that the path can be replayed; where that
// refutes nothing, among all turns, with smaller limits.
ProveResult prove_tooth(const Mutation& mutation);

// Says what became of it on `out`; the path's scenario goes into a file where one is named. Returns 1 when refuted, 0
// when it was not, 3 when there is no mutation of this name or the file cannot be written.
int run_tooth(std::ostream& out, const std::string& name, const std::string& scenario_file);

void list_teeth(std::ostream& out);

}  // namespace proof
