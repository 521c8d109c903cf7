// How times and counts are written for people.
#pragma once

#include <string>

#include "harness/scenario/scenario.h"

namespace oracle {

// Virtual time as h:mm:ss, rounded down; days are hours beyond 24.
std::string clock_text(scenario::Duration time);

// A length of time in its two largest units: "17 s", "6 min 35 s", "2 h 5 min".
std::string length_text(scenario::Duration length);

// "1 boot", "3 boots".
std::string count_text(std::size_t count, const std::string& noun);

}  // namespace oracle
