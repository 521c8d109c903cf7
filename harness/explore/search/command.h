// `simrun explore` and `simrun merge`.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "harness/explore/workers.h"

namespace explore {

// Both return simrun's exit status.
int run_explore(const std::vector<std::string>& words, const Settings& settings);
int run_merge(const std::vector<std::string>& words);

}  // namespace explore
