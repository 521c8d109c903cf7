#include "launcher/base/files.h"
#include "launcher/boot/phases.h"
#include "launcher/boot/say.h"
#include "launcher/ledger/ledger.h"

namespace boot {

using base::Clock;
using base::Seconds;
using base::TimePoint;

// A lease beats once a minute. One that has not for this long is a dead pod's: the beat missed twice, and the longest
// grace in which a pod that lost its disk still ends its training.
static constexpr Seconds kDeadAfter{180};
static constexpr Seconds kLookEvery{30};

static void wait_for(Boot& boot, Seconds time) {
  const TimePoint until = Clock::now() + time;
  while (Clock::now() < until && boot.waiter.stop_signal() == 0) boot.waiter.wait({}, until);
}

// Remembers since when a foreign lease has shown the same beat.
struct ForeignLease {
  std::string holder;
  std::uint64_t beat = 0;
  TimePoint since;

  bool dead(const Opening& opening) {
    if (opening.holder != holder || opening.beat != beat) *this = {opening.holder, opening.beat, Clock::now()};
    return Clock::now() - since >= kDeadAfter;
  }
};

static Opening take_lease(Boot& boot, KeeperPlan& plan) {
  ForeignLease foreign;
  bool announced = false;
  TimePoint next_line = Clock::now();
  for (;;) {
    Opening opening = boot.journal.keeper().open(boot.waiter, plan, Seconds(60));
    const bool here = opening.result == Opening::Result::kLeasedHere;
    const bool elsewhere = opening.result == Opening::Result::kLeasedElsewhere;
    if ((!here && !elsewhere) || boot.waiter.stop_signal() != 0) return opening;
    if (elsewhere && foreign.dead(opening)) {
      say_phase("lock", "pod {} has given no sign of life for {} s: taking its lease over", opening.holder,
                kDeadAfter.count());
      plan.take_over = true;
      continue;
    }
    if (!announced) {
      const policy::Hold words = policy::hold_for(policy::HoldReason::kLeasedElsewhere);
      say_phase("lock", "run {} is leased to {}{}; waiting", boot.run, opening.holder,
                here ? ", by another process on this host" : "");
      if (here) say("hold: {} ({})", words.cause, policy::name(words.reason));
      if (here) say("hold: what to do: {}", words.remedy);
      announced = true;
      next_line = Clock::now() + kHeartbeat;
    }
    wait_for(boot, kLookEvery);
    if (Clock::now() < next_line) continue;
    say("hold: run {} is still leased to {}", boot.run, opening.holder);
    next_line = Clock::now() + kHeartbeat;
  }
}

static void warn_about_state(const Boot& boot) {
  if (boot.disks.survives(boot.folder)) return;
  say_phase("lock", "warning: the run is remembered in {}, which is lost with the pod; mount a volume or give --state",
            boot.state.string());
}

Next open_run(Boot& boot) {
  KeeperPlan plan;
  plan.folder = boot.folder;
  plan.identity = boot.identity;
  plan.shared_disk = boot.disks.shared(boot.state) || boot.environment.contains("RUNPOD_VOLUME_ID");
  plan.redactor = &boot.redactor;
  const Opening opening = take_lease(boot, plan);
  boot.journal.begin(plan, opening.memory);
  if (boot.waiter.stop_signal() != 0) {
    boot.exit_status = 128 + boot.waiter.stop_signal();
    return Next::kEnd;
  }
  if (opening.result != Opening::Result::kOpened) {
    say_phase("lock", "{}", opening.error.message());
    const bool hung = opening.error.code == base::ErrorCode::kTimedOut;
    const bool damaged =
        opening.error.code == base::ErrorCode::kDamaged || opening.error.code == base::ErrorCode::kUnsupported;
    const auto trouble = hung      ? policy::LedgerTrouble::kHung
                         : damaged ? policy::LedgerTrouble::kUnreadable
                                   : policy::LedgerTrouble::kUnwritable;
    return settle(boot, boot.journal.observe(policy::LedgerFailed{trouble}));
  }
  for (const std::string& note : opening.notes) say_phase("lock", "{}", note);
  warn_about_state(boot);
  return Next::kGoOn;
}

}  // namespace boot
