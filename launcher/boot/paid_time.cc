#include "launcher/boot/paid_time.h"

namespace boot {

base::Seconds unrecorded_time(const Boot& boot) {
  return std::chrono::duration_cast<base::Seconds>(base::Clock::now() - boot.time_recorded);
}

policy::Decision record_time(Boot& boot) {
  const base::Seconds passed = unrecorded_time(boot);
  if (passed.count() <= 0) return policy::Run{};
  boot.time_recorded += passed;
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
