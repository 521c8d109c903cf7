// Makes a failing scenario smaller. First the timeline, by delta debugging: halves, quarters, single entries are left
// out as long as the failure stays; then each option is brought to what it would be if nobody had said anything. Ends
// when nothing more can be left out, or when the plays are used up. What comes out is a local minimum: no single
// entry and no single option of it can go.
#pragma once

#include <functional>

#include "harness/scenario/scenario.h"

namespace explore {

// Whether this scenario fails in the way that is being looked for. Scenarios that cannot be read are not asked about.
using Fails = std::function<bool(const scenario::Scenario&)>;

struct Shrunk {
  scenario::Scenario scenario;
  int plays = 0;
  bool complete = true;  // false: plays_max ended it
};

Shrunk shrink(const scenario::Scenario& scenario, const Fails& fails, int plays_max);

}  // namespace explore
