#pragma once

#include <string>

#include "launcher/boot/boot.h"

namespace boot {

// How long pods have been up for this run, and what that cost, for people: "2 h 10 min of pods so far". By the
// monotonic clock, as far as boots could write it down.
std::string bill_so_far(const Boot& boot);

}  // namespace boot
