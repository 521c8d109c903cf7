#pragma once

#include <vector>

#include "base/random.h"
#include "harness/scenario/scenario.h"

namespace explore {

// What podlaunch prints as it begins to hold.
inline constexpr const char* kHoldsLine = "^podlaunch: hold: what to do";
// What it may be told to ask for.
inline constexpr const char* kDrawnSecret = "WANDB_API_KEY";
inline constexpr const char* kDrawnSecretValue = "0b5c1f4e9d7a48c2b6e3";

// One to three faults. All but those that spoil what nobody can mend end by themselves, and mostly somebody comes then
// and releases what holds (justify.h). The scenario's pod, trainer and start command are there already.
std::vector<scenario::TimelineEntry> draw_timeline(base::Random& random, const scenario::Scenario& scenario);

}  // namespace explore
