#include "launcher/base/files.h"
#include "launcher/boot/keeper/say.h"
#include "launcher/boot/phases/phases.h"
#include "launcher/ledger/ledger.h"

namespace boot {

using base::Clock;
using base::Seconds;
using base::TimePoint;

static constexpr base::Milliseconds kLookEveryMax{30'000};

// Beyond its grace, what the end of a training may take: SIGKILL, and a launcher that got round to it late.
static Seconds kill_takes(Seconds lifetime) {
  return std::max(Seconds(1), lifetime / 24);
}

static void wait_for(Boot& boot, base::Milliseconds time) {
  const TimePoint until = Clock::now() + time;
  while (Clock::now() < until && boot.waiter.stop_signal() == 0) boot.waiter.wait({}, until);
}

// Says whose the run is, once, and then now and then that it still is.
class Waiting {
 public:
  explicit Waiting(const Boot& boot) : boot_(boot) {}

  void say_so(const Opening& opening) {
    const std::string holder = lease::describe(opening.lease);
    if (holder != holder_) {
      holder_ = holder;
      next_line_ = Clock::now() + kHeartbeat;
      const bool here = opening.result == Opening::Result::kLeasedHere;
      const policy::Hold words = policy::hold_for(policy::HoldReason::kLeasedElsewhere);
      say_phase("lock", "run {} is leased to {}{}; waiting", boot_.run, holder,
                here ? ", by another process on this host" : "");
      say("hold: {} ({})", words.cause, policy::name(words.reason));
      say("hold: what to do: {}", words.remedy);
    } else if (Clock::now() >= next_line_) {
      next_line_ = Clock::now() + kHeartbeat;
      say("hold: run {} is still leased to {}", boot_.run, holder);
    }
  }

 private:
  const Boot& boot_;
  std::string holder_;
  TimePoint next_line_;
};

static Opening take_lease(Boot& boot, KeeperPlan& plan) {
  lease::Patience patience;
  Waiting waiting(boot);
  base::Milliseconds pause(1000);
  for (;;) {
    Opening opening = boot.journal.keeper().open(boot.waiter, plan, Seconds(60));
    const bool leased =
        opening.result == Opening::Result::kLeasedHere || opening.result == Opening::Result::kLeasedElsewhere;
    if (!leased || boot.waiter.stop_signal() != 0) return opening;
    const bool lives_here =
        opening.result == Opening::Result::kLeasedHere && opening.lease.holder.host == boot.identity.host;
    const bool exhausted = patience.exhausted(opening.lease, Clock::now());
    if (plan.shared_disk && !lives_here && exhausted && !plan.silent) {
      say_phase("lock", "no sign of life from {} for {} s: taking its lease over", lease::describe(opening.lease),
                std::chrono::duration_cast<Seconds>(opening.lease.terms.patience()).count());
      plan.silent = opening.lease;
      boot.dead_boot = opening.lease.holder.boot;
      continue;
    }
    plan.silent.reset();
    waiting.say_so(opening);
    wait_for(boot, std::min(pause, opening.lease.terms.renew_every()));
    pause = std::min(pause * 2, kLookEveryMax);
  }
}

static void warn_about_disks(const Boot& boot) {
  if (!boot.disks.survives(boot.config.checkout))
    say_phase(
        "lock",
        "warning: the checkout {} is lost with the pod, and with it whatever is not pushed: edits, commits, files "
        "that the training writes there",
        boot.config.checkout.string());
  if (boot.disks.survives(boot.folder)) return;
  say_phase("lock", "warning: the run is remembered in {}, which is lost with the pod; mount a volume or give --state",
            boot.state.string());
}

static KeeperPlan plan_for(const Boot& boot) {
  KeeperPlan plan;
  plan.folder = boot.folder;
  plan.identity = boot.identity;
  plan.shared_disk = is_shared(boot, boot.state);
  plan.terms = lease_terms(boot);
  plan.remembered = boot.journal.memory();
  plan.redactor = &boot.redactor;
  return plan;
}

static policy::Decision cannot_open(Boot& boot, const base::Error& error) {
  say_phase("lock", "{}", error.message());
  const bool damaged = error.code == base::ErrorCode::kDamaged || error.code == base::ErrorCode::kUnsupported;
  const auto trouble = error.code == base::ErrorCode::kTimedOut ? policy::LedgerTrouble::kHung
                       : damaged                                ? policy::LedgerTrouble::kUnreadable
                                                                : policy::LedgerTrouble::kUnwritable;
  return boot.journal.observe(policy::LedgerFailed{trouble});
}

// Run once the run is ours.
static policy::Decision take_run(Boot& boot) {
  KeeperPlan plan = plan_for(boot);
  const Opening opening = take_lease(boot, plan);
  boot.journal.begin(plan, opening);
  if (boot.waiter.stop_signal() != 0) return policy::Leave{};
  if (opening.result != Opening::Result::kOpened) return cannot_open(boot, opening.error);
  for (const std::string& note : opening.notes) say_phase("lock", "{}", note);
  return policy::Run{};
}

bool is_shared(const Boot& boot, const std::filesystem::path& path) {
  // Whoever sets the time means that there are others.
  return boot.config.lease_time || boot.disks.shared(path) || boot.environment.contains("RUNPOD_VOLUME_ID");
}

lease::Terms lease_terms(const Boot& boot) {
  lease::Terms terms;
  if (boot.config.lease_time) terms.lifetime = *boot.config.lease_time;
  terms.grace = std::chrono::ceil<Seconds>(grace_for_child(boot)) + kill_takes(terms.lifetime);
  return terms;
}

policy::Decision open_run(Boot& boot) {
  policy::Decision decision = take_run(boot);
  if (std::holds_alternative<policy::Run>(decision)) warn_about_disks(boot);
  return decision;
}

policy::Decision regain_run(Boot& boot) {
  const std::string& fenced_by = boot.journal.keeper().fenced_by();
  say_phase("lock", "this launcher works on run {} no longer: {}", boot.run,
            fenced_by.empty() ? "its lease could not be renewed in time" : fenced_by);
  boot.commit.clear();
  boot.checkpoints = {};
  const policy::Decision taken = take_run(boot);
  if (!std::holds_alternative<policy::Run>(taken)) return taken;
  if (auto decision = boot.journal.write_late_end()) return *decision;
  const policy::Decision decision = begin_boot(boot);
  // From the first phase: whoever had the run meanwhile may have changed everything.
  return std::holds_alternative<policy::Run>(decision) ? policy::Run{.released = true} : decision;
}

}  // namespace boot
