// The world's clock. It stands still while anything runs, jumps to the next deadline when everything waits, and is
// charged for clock reads and for long computation, so that loops which only look at the clock still end.
//
// File times are the kernel's, so they are mapped: a log of (real time, virtual time) pairs, one for each change of the
// clock, is a step function from the one to the other. Times from before the world began are left alone.
#pragma once

#include <cstdint>
#include <vector>

#include "base/unique_fd.h"

namespace stage {

using Nanoseconds = std::int64_t;

inline constexpr Nanoseconds kSecond = 1'000'000'000;

class VirtualClock {
 public:
  // `epoch`: the virtual wall-clock time at which the world begins, nanoseconds since 1970.
  explicit VirtualClock(Nanoseconds epoch);

  Nanoseconds now() const { return now_; }  // since the world began
  Nanoseconds epoch() const { return epoch_; }
  // Readings as the kernel would give them.
  Nanoseconds realtime() const { return epoch_ + wall_offset_ + now_; }
  Nanoseconds monotonic() const { return kUptimeAtStart + now_; }

  void jump_to(Nanoseconds when);
  // A read of the clock: a little, and more when reads come in long rows without any wait between them.
  void charge_read();
  void charge_computation(Nanoseconds spent);
  bool charged_computation() const { return charged_computation_; }

  // The kernel's stamp of a file, in virtual time. Nanoseconds since 1970 on both sides.
  Nanoseconds map_file_time(Nanoseconds real) const;
  // Call before a syscall that stamps a file: stamps are only as fine as the kernel's tick, so one that follows a jump
  // within the same tick would look as if it came before. Waits at most one tick, 10 ms.
  void separate_stamps() const;

  // The file that stands for /proc/uptime; rewritten at every jump.
  void publish_uptime(base::UniqueFd file);

  // Realtime is this far from where it was; the monotonic clock is not concerned.
  void step_wall_clock(Nanoseconds by);

 private:
  static constexpr Nanoseconds kUptimeAtStart = 86'400 * kSecond;

  void note_change();

  struct Step {
    Nanoseconds real;
    Nanoseconds virtual_time;
  };

  Nanoseconds epoch_;
  Nanoseconds now_ = 0;
  Nanoseconds wall_offset_ = 0;
  Nanoseconds real_start_;
  std::vector<Step> steps_;
  int reads_in_a_row_ = 0;
  bool charged_computation_ = false;
  base::UniqueFd uptime_;
};

}  // namespace stage
