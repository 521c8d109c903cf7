#pragma once

#include <chrono>
#include <cstdint>

namespace base {

// Durations are measured on the monotonic clock only; the wall clock may be wrong and merely labels records.
using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;
using Seconds = std::chrono::seconds;
using Milliseconds = std::chrono::milliseconds;

inline constexpr TimePoint kForever = TimePoint::max();

// Seconds since 1970, for labels.
inline std::int64_t wall_clock_seconds() {
  return std::chrono::duration_cast<Seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace base
