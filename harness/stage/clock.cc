#include "harness/stage/clock.h"

#include <fmt/format.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

#include "base/check.h"

namespace stage {

static Nanoseconds coarse_real_time() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return now.tv_sec * kSecond + now.tv_nsec;
}

VirtualClock::VirtualClock(Nanoseconds epoch) : epoch_(epoch), real_start_(coarse_real_time()) {
  steps_.push_back({real_start_ - 1, realtime()});
}

void VirtualClock::note_change() {
  const Nanoseconds real = coarse_real_time();
  if (steps_.back().real == real) {
    steps_.back().virtual_time = realtime();
  } else {
    steps_.push_back({real, realtime()});
  }
}

void VirtualClock::jump_to(Nanoseconds when) {
  reads_in_a_row_ = 0;
  if (when <= now_) return;
  now_ = when;
  note_change();
  if (uptime_.valid()) {
    const Nanoseconds up = monotonic();
    const std::string text = fmt::format("{}.{:02} {}.00\n", up / kSecond, up % kSecond / 10'000'000, up / kSecond);
    (void)!::pwrite(uptime_.get(), text.data(), text.size(), 0);  // a stale uptime is the worst that can follow
  }
}

void VirtualClock::charge_read() {
  // 1 us is about what a read costs under the stage; loops that poll the clock are hurried along.
  ++reads_in_a_row_;
  if (reads_in_a_row_ < 1'000) {
    now_ += 1'000;
  } else {
    now_ += reads_in_a_row_ < 10'000 ? 100'000 : 1'000'000;
    note_change();
  }
}

void VirtualClock::charge_computation(Nanoseconds spent) {
  now_ += spent;
  charged_computation_ = true;
  note_change();
}

void VirtualClock::step_wall_clock(Nanoseconds by) {
  wall_offset_ += by;
  note_change();
}

Nanoseconds VirtualClock::map_file_time(Nanoseconds real) const {
  if (real < real_start_ || real > coarse_real_time() + kSecond) return real;
  // The last step that was taken strictly before the stamp: stamps made in the tick of a jump belong before it.
  auto after = std::lower_bound(steps_.begin(), steps_.end(), real,
                                [](const Step& step, Nanoseconds time) { return step.real < time; });
  CHECK(after != steps_.begin());
  return std::prev(after)->virtual_time;
}

void VirtualClock::separate_stamps() const {
  while (coarse_real_time() <= steps_.back().real) ::sched_yield();
}

void VirtualClock::publish_uptime(base::UniqueFd file) {
  uptime_ = std::move(file);
  const Nanoseconds now = now_;
  now_ -= 1;
  jump_to(now);
}

}  // namespace stage
