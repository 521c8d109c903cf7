// What this machine allows, for someone whose scenarios cannot be played.
#pragma once

#include <string>
#include <vector>

#include "harness/explore/workers.h"

namespace explore {

struct Check {
  std::string what;
  bool good = false;
  std::string detail;  // what was found, or what to do
};

// Tries each thing that a world needs; plays a small world at the end.
std::vector<Check> examine_machine(const Settings& settings);

}  // namespace explore
