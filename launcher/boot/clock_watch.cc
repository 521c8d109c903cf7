#include "launcher/boot/clock_watch.h"

#include <fmt/format.h>

#include <cstdlib>
#include <utility>

namespace boot {

static constexpr std::int64_t kTolerableSeconds = 60;

std::int64_t ClockWatch::jump(std::int64_t wall_milliseconds, base::TimePoint now) {
  const auto passed = std::chrono::duration_cast<base::Milliseconds>(now - now_).count();
  const std::int64_t off = (wall_milliseconds - wall_milliseconds_ - passed) / 1000;
  now_ = now;
  wall_milliseconds_ = wall_milliseconds;
  const bool first = !std::exchange(looked_, true);
  return first || std::abs(off) < kTolerableSeconds ? 0 : off;
}

std::string describe_jump(std::int64_t seconds) {
  const std::int64_t size = std::abs(seconds);
  const std::string length = size >= 86400 ? fmt::format("{} days", size / 86400) : fmt::format("{} s", size);
  return fmt::format("the clock of this machine jumped {} by {}", seconds < 0 ? "back" : "forward", length);
}

}  // namespace boot
