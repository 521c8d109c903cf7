// Loops of the policy graph on which nothing gets better, and, where there are none, how long such a path can get.
#pragma once

#include <optional>
#include <vector>

#include "harness/proof/policy_exploration.h"

namespace proof {

struct Loop {
  std::vector<std::uint32_t> nodes;  // the first one is also where it comes back to
};

struct LoopFreedom {
  std::optional<Loop> loop;   // one that is reached as early as any
  unsigned boots_max = 0;     // without a loop: most boots on one path without progress, hold or stop
  unsigned attempts_max = 0;  // and most attempts
};

LoopFreedom find_loops(const PolicyExploration& exploration);

}  // namespace proof
