#include "launcher/boot/paid_time.h"

#include <algorithm>

#include "launcher/boot/keeper/say.h"

namespace boot {

base::Seconds unrecorded_time(const Boot& boot) {
  return std::chrono::duration_cast<base::Seconds>(base::Clock::now() - boot.time_recorded);
}

void look_at_clock(Boot& boot) {
  const std::int64_t jump = boot.clock_watch.jump(wall_milliseconds(), base::Clock::now());
  if (jump == 0) return;
  const std::string text = describe_jump(jump);
  say("{}; nothing that is decided depends on it", text);
  (void)boot.journal.observe(policy::ClockStrange{}, {.text = text});  // it never changes what is decided
}

base::Seconds take_unrecorded_time(Boot& boot) {
  look_at_clock(boot);
  const base::Seconds passed = std::max(unrecorded_time(boot), base::Seconds(0));
  boot.time_recorded += passed;
  return passed;
}

policy::Decision record_time(Boot& boot) {
  const base::Seconds passed = take_unrecorded_time(boot);
  if (passed.count() == 0) return policy::Run{};
  return boot.journal.observe(policy::TimePassed{static_cast<std::uint64_t>(passed.count())});
}

bool budget_is_spent(const Boot& boot) {
  const policy::Limits limits = limits_of(boot.config);
  const policy::History& history = boot.journal.history();
  const auto passed = static_cast<std::uint64_t>(unrecorded_time(boot).count());
  const auto reached = [passed](std::uint64_t used, std::uint64_t limit) {
    return limit != 0 && used + passed >= limit;
  };
  return reached(history.seconds_used, limits.seconds_max) || reached(history.seconds_paid, limits.paid_seconds_max);
}

}  // namespace boot
