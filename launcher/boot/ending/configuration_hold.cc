#include "launcher/boot/ending/configuration_hold.h"

#include "launcher/boot/configuration_file.h"
#include "launcher/boot/ending/end_pod.h"
#include "launcher/boot/ending/settle.h"
#include "launcher/boot/keeper/say.h"
#include "launcher/boot/notify.h"
#include "launcher/boot/phases/phases.h"
#include "launcher/config/duration.h"

namespace boot {

using base::Clock;
using base::Seconds;
using base::TimePoint;

// When to have the pod stopped; never, where that is not wanted or not possible, or where it is not known what would be
// lost with it.
static TimePoint when_to_stop(const config::Config& config, const config::Environment& environment) {
  constexpr Seconds usual{1800};
  const Seconds hold_for = config.hold_for.value_or(usual);
  const bool known = !config.checkout.empty() && !config.train.empty() && account_of(config, environment);
  if (!known || hold_for == Seconds::max()) return base::kForever;
  say("hold: unless the pod is restarted with another configuration, it is stopped in {}",
      config::format_duration(hold_for));
  return Clock::now() + hold_for;
}

// One try; when the next one comes.
static TimePoint try_to_stop(Boot& boot, bool& opened, const std::string& why, int& failures) {
  constexpr Seconds look_again{3600};
  // The ledger is to say it first.
  if (!opened && settle(boot, open_run(boot)) == Next::kEnd) return base::kForever;
  opened = true;
  const PodEndTry done = try_to_end_pod(boot, provider::Ending::kStop, why);
  if (done.result == PodEnd::kToldToStop || (done.result == PodEnd::kEnding && wait_for_own_end(boot)))
    return base::kForever;
  if (!done.text.empty()) say("hold: the pod is not stopped: {}", done.text);
  return Clock::now() + (done.result == PodEnd::kUnsafe ? look_again : provider::wait_after(++failures));
}

static bool is_mended(const std::vector<std::string>& arguments, const config::Environment& environment,
                      base::Waiter& waiter) {
  const auto read = read_configuration(arguments, environment, waiter);
  return read && config::validate(read->config, environment);
}

std::optional<int> hold_configuration(const config::Config& config, const std::vector<std::string>& arguments,
                                      const config::Environment& environment, base::Waiter& waiter,
                                      const base::Error& error) {
  Boot boot(config, environment, waiter);
  const std::string why = boot.redactor.redact(error.message());
  Notification told = notification(boot, Event::kHold);
  told.facts.emplace_back("reason", "configuration");
  told.facts.emplace_back("cause", why);
  told.text += "the configuration cannot be used";
  boot.notifier.start(told, boot);
  TimePoint next_stop = when_to_stop(config, environment);
  TimePoint next_line = Clock::now() + kHeartbeat;
  TimePoint next_reading = when_to_read_again(arguments, environment);
  bool opened = false;
  bool mended = false;
  int failures = 0;
  while (waiter.stop_signal() == 0 && !mended) {
    waiter.wait({}, std::min({next_line, next_stop, next_reading}));
    (void)boot.notifier.processes(waiter);
    if (waiter.stop_signal() == 0 && Clock::now() >= next_reading) {
      mended = is_mended(arguments, environment, waiter);
      next_reading = when_to_read_again(arguments, environment);
      if (mended) continue;
    }
    if (Clock::now() >= next_line) {
      say("hold: the configuration cannot be used: {}", why);
      next_line = Clock::now() + kHeartbeat;
    }
    if (waiter.stop_signal() == 0 && Clock::now() >= next_stop)
      next_stop = try_to_stop(boot, opened, "the configuration cannot be used", failures);
  }
  (void)boot.notifier.finish(waiter, base::Milliseconds(0));
  boot.journal.keeper().close(waiter, Seconds(2));
  if (mended && waiter.stop_signal() == 0) return std::nullopt;
  return 128 + waiter.stop_signal();
}

}  // namespace boot
