#pragma once

#include <vector>

#include "base/random.h"
#include "harness/scenario/scenario.h"

namespace explore {

// One to four faults, each of which ends by itself. The scenario's pod, trainer and start command are there already.
std::vector<scenario::TimelineEntry> draw_timeline(base::Random& random, const scenario::Scenario& scenario);

}  // namespace explore
