#pragma once

#include <string>

#include "launcher/boot/boot.h"

namespace boot {

// How long pods have been up for this run, and what that cost, for people: "2 h 10 min of pods so far". From the
// ledger's wall clock, so a clock that jumped shows in it; nothing is decided by it.
std::string bill_so_far(const Boot& boot);

}  // namespace boot
