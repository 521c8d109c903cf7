#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/result.h"

namespace config {

// "90s", "30min", "2h", "1d", "1h30min"; a plain number counts in `unit`.
base::Result<std::chrono::seconds> parse_duration(std::string_view text,
                                                  std::chrono::seconds unit = std::chrono::seconds(1));

// "90 s", "30 min", "2 h": as the largest unit that is exact.
// For people: "3 h 12 min", "12 min", "45 s".
std::string rough_duration(std::chrono::seconds duration);

std::string format_duration(std::chrono::seconds duration);

}  // namespace config
