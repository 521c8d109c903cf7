#include "launcher/boot/ending/settle.h"

#include <random>

#include "launcher/base/helper.h"
#include "launcher/base/seed.h"
#include "launcher/boot/ending/conclude.h"
#include "launcher/boot/ending/hold.h"
#include "launcher/boot/keeper/say.h"
#include "launcher/boot/phases/phases.h"

namespace boot {

using base::Clock;
using base::Seconds;
using base::TimePoint;

static Next leave(Boot& boot) {
  // Of what the platform gives us most is gone; whoever is being told has a moment more.
  constexpr base::Milliseconds patience{700};
  (void)boot.notifier.finish(boot.waiter, patience);
  boot.exit_status = 128 + boot.waiter.stop_signal();
  return Next::kEnd;
}

int stay(base::Waiter& waiter, const std::string& line) {
  TimePoint next_line = Clock::now() + kHeartbeat;
  while (waiter.stop_signal() == 0) {
    waiter.wait({}, next_line);
    if (Clock::now() < next_line) continue;
    say_line(line);
    next_line = Clock::now() + kHeartbeat;
  }
  return 128 + waiter.stop_signal();
}

static Next wait_before_retry(Boot& boot, unsigned earliest, unsigned latest, const char* what) {
  std::mt19937_64 generator(base::seed_from_kernel());
  const unsigned seconds = std::uniform_int_distribution<unsigned>(earliest, std::max(earliest, latest))(generator);
  say_phase("retry", "{} in {} s", what, seconds);
  const TimePoint until = Clock::now() + Seconds(seconds);
  while (Clock::now() < until && boot.waiter.stop_signal() == 0) boot.waiter.wait({}, until);
  if (boot.waiter.stop_signal() == 0) return Next::kAgain;
  return settle(boot, boot.journal.observe(policy::Preempted{}));
}

namespace {

struct CarryOut {
  Boot& boot;

  Next operator()(const policy::Run& run) const { return run.released ? Next::kStartOver : Next::kGoOn; }
  Next operator()(const policy::Retry& retry) const {
    return wait_before_retry(boot, retry.earliest_seconds, retry.latest_seconds, "trying again");
  }
  Next operator()(const policy::TryOlderCheckpoint& older) const {
    boot.set_newest_aside = true;
    return wait_before_retry(boot, older.earliest_seconds, older.latest_seconds,
                             "trying the checkpoint before the newest");
  }
  Next operator()(const policy::Hold& decision) const { return hold(boot, decision); }
  Next operator()(const policy::Finish&) const { return conclude(boot); }
  Next operator()(const policy::Leave&) const { return leave(boot); }
  Next operator()(const policy::Exit& exit) const {
    say("giving up ({}): {} {}", policy::name(exit.reason), exit.cause, exit.remedy);
    boot.exit_status = exit.code;
    return Next::kEnd;
  }
};

}  // namespace

Next settle(Boot& boot, const policy::Decision& decision) {
  // Whatever was decided: it is no longer ours to do.
  const bool leaves = std::holds_alternative<policy::Leave>(decision);
  if (!leaves && boot.journal.lease_lost()) return settle(boot, regain_run(boot));
  return std::visit(CarryOut{boot}, decision);
}

}  // namespace boot
