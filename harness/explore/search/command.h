// `simrun explore` and `simrun merge`.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "harness/explore/merged.h"
#include "harness/explore/workers.h"

namespace explore {

// Both return simrun's exit status.
int run_explore(const std::vector<std::string>& words, const Settings& settings);
// `merge_sweeps` joins the reports of sweeps, which are played by a folder that builds on this one.
int run_merge(const std::vector<std::string>& words, const Merger& merge_sweeps);

}  // namespace explore
