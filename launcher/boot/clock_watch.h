// The wall clock, held against the monotonic one: hosts set theirs, by seconds or by years. Nothing that is decided
// depends on it, but people read it in logs and ledgers, and certificates are judged by it.
#pragma once

#include <cstdint>
#include <string>

#include "launcher/base/time.h"

namespace boot {

class ClockWatch {
 public:
  // By how many seconds the wall clock went ahead of the monotonic one since the last look; negative: it fell behind.
  // 0 for less than a minute: clocks are disciplined in small steps.
  std::int64_t jump(std::int64_t wall_milliseconds, base::TimePoint now);

 private:
  bool looked_ = false;
  std::int64_t wall_milliseconds_ = 0;
  base::TimePoint now_;
};

// "the clock of this machine jumped forward by 365 days"
std::string describe_jump(std::int64_t seconds);

}  // namespace boot
