#include "launcher/boot/ending/hold.h"

#include "launcher/base/helper.h"
#include "launcher/boot/bill.h"
#include "launcher/boot/configuration_file.h"
#include "launcher/boot/ending/end_pod.h"
#include "launcher/boot/ending/evacuate.h"
#include "launcher/boot/keeper/say.h"
#include "launcher/boot/nodes.h"
#include "launcher/boot/notify.h"
#include "launcher/boot/paid_time.h"
#include "launcher/boot/phases/phases.h"
#include "launcher/boot/phases/upstream.h"
#include "launcher/config/duration.h"
#include "launcher/pod/own_code.h"
#include "launcher/policy/hold_rules.h"

namespace boot {

using base::Clock;
using base::Seconds;
using base::TimePoint;
using policy::HoldReason;

namespace {

class Holding {
 public:
  Holding(Boot& boot, const policy::Hold& decision) : boot_(boot), decision_(decision) {}
  Next run();

 private:
  void announce();
  void tell_nodes_held();
  void tell_nodes_released();
  void say_still_held();
  std::optional<policy::Decision> look();
  std::optional<policy::Decision> look_at_obstacle();
  std::optional<policy::Decision> look_upstream();
  bool is_configured_anew();
  void hold_for_another_reason(const policy::Hold& decision);
  void stop_pod();
  void plan_stop();
  Seconds first_look() const;
  TimePoint when_to_look_first() const;
  TimePoint next_wakeup() const;

  Boot& boot_;
  policy::Hold decision_;
  const TimePoint began_ = Clock::now();
  TimePoint next_line_ = began_ + kHeartbeat;
  Seconds look_every_ = first_look();
  TimePoint next_look_ = when_to_look_first();
  TimePoint next_stop_ = base::kForever;
  TimePoint next_reading_ = when_to_read_again(boot_.arguments, boot_.environment);
  std::string unusable_;  // what is wrong with the configuration as it was last read
  int failed_stops_ = 0;
};

}  // namespace

// Has what this boot is held for gone away? Only for reasons that are obstacles.
static bool obstacle_is_gone(Boot& boot, policy::HoldReason reason) {
  if (reason == policy::HoldReason::kGpusMissing || reason == policy::HoldReason::kGpuCheckHung) {
    return gpus_are_enough(boot);
  }
  if (reason == policy::HoldReason::kStopUnsafe) {
    const bool terminate = boot.config.on_complete == config::OnComplete::kTerminatePod;
    return evacuate(boot, terminate ? provider::Ending::kTerminate : provider::Ending::kStop).has_value();
  }
  if (reason == policy::HoldReason::kNodeHeld || reason == policy::HoldReason::kCheckoutAwaited) {
    look_at_other_nodes(boot);
    if (reason == policy::HoldReason::kCheckoutAwaited)
      return boot.nodes.checkout_word().has_value() && !shared_checkout_is_gone(boot);
    return !boot.nodes.held(Clock::now());
  }
  if (reason == policy::HoldReason::kCheckpointsLost) return !look_at_checkpoints(boot).resume_from.empty();
  return false;
}

Seconds Holding::first_look() const {
  const bool looks_often = decision_.reason == HoldReason::kLedgerUnusable ||
                           decision_.reason == HoldReason::kNodeHeld ||
                           decision_.reason == HoldReason::kCheckoutAwaited;
  if (looks_often) return Seconds(60);
  if (policy::rule(decision_.reason).is_obstacle || policy::rule(decision_.reason).ends_with_commit)
    return Seconds(300);
  return Seconds(0);
}

// Upstream that may be what was missing is asked at once, so that it is seen to come back soon after.
TimePoint Holding::when_to_look_first() const {
  if (policy::rule(decision_.reason).ends_with_upstream) return Clock::now();
  return look_every_ == Seconds(0) ? base::kForever : Clock::now() + look_every_;
}

TimePoint Holding::next_wakeup() const {
  return std::min({next_line_, next_look_, next_stop_, next_reading_});
}

void Holding::announce() {
  const std::string& failure = boot_.journal.memory().last_failure;
  say("hold: {} ({})", decision_.cause, policy::name(decision_.reason));
  if (!failure.empty() && !policy::rule(decision_.reason).is_obstacle)
    say("hold: the last failure was: {}", boot_.redactor.redact(failure));
  say("hold: what to do: {}", decision_.remedy);
  tell_nodes_held();
  say("hold: {}", bill_so_far(boot_));
  boot_.notifier.start(notification(boot_, Event::kHold, &decision_), boot_);
  plan_stop();
}

// What holds this node because of another, or after its training is done, is no reason for others to hold.
void Holding::tell_nodes_held() {
  const bool because_of_another =
      decision_.reason == HoldReason::kNodeHeld || decision_.reason == HoldReason::kCheckoutAwaited;
  boot_.nodes.word.held = fmt::format("{} ({})", decision_.cause, policy::name(decision_.reason));
  boot_.nodes.word.of_itself = !because_of_another && !boot_.journal.history().finished;
  tell_other_nodes(boot_);
}

void Holding::tell_nodes_released() {
  boot_.nodes.word.held.clear();
  tell_other_nodes(boot_);
}

// A held pod is billed. Where the provider can be asked, it is stopped in the end; not where that would be too early:
// results that are not published yet, or a ledger that could not be told why.
void Holding::plan_stop() {
  constexpr Seconds usual{1800};
  next_stop_ = base::kForever;
  if (boot_.config.hold_for == Seconds::max()) return;
  if (decision_.reason == HoldReason::kPublishFailed || decision_.reason == HoldReason::kLedgerUnusable) return;
  if (const auto account = account_of(boot_.config, boot_.environment); !account) {
    if (boot_.config.hold_for) say("hold: --hold-for has no effect here: {}", account.error().message());
    return;
  }
  const Seconds hold_for = boot_.config.hold_for.value_or(usual);
  next_stop_ = began_ + hold_for;
  say("hold: unless it is released, the pod is stopped in {}", config::format_duration(hold_for));
}

void Holding::stop_pod() {
  constexpr Seconds look_again{3600};
  const auto held = std::chrono::duration_cast<std::chrono::minutes>(Clock::now() - began_);
  const PodEndTry done =
      try_to_end_pod(boot_, provider::Ending::kStop,
                     fmt::format("held for {} min ({})", held.count(), policy::name(decision_.reason)));
  if (done.result == PodEnd::kToldToStop || (done.result == PodEnd::kEnding && wait_for_own_end(boot_))) return;
  if (!done.text.empty()) say("hold: the pod is not stopped: {}", done.text);
  if (done.result == PodEnd::kNotPossible) {
    next_stop_ = base::kForever;
  } else if (done.result == PodEnd::kUnsafe) {
    next_stop_ = Clock::now() + look_again;
  } else {
    next_stop_ = Clock::now() + provider::wait_after(++failed_stops_);
  }
}

void Holding::say_still_held() {
  if (!boot_.nodes.told) tell_other_nodes(boot_);
  if (unrecorded_time(boot_) >= kRecordIdleTimeEvery) record_time(boot_);
  const auto held = std::chrono::duration_cast<std::chrono::minutes>(Clock::now() - began_);
  say("hold: still held after {} min ({}); `podlaunch resume` releases it", held.count(),
      policy::name(decision_.reason));
  next_line_ = Clock::now() + kHeartbeat;
}

std::optional<policy::Decision> Holding::look_at_obstacle() {
  if (decision_.reason == HoldReason::kLedgerUnusable) {
    auto decision = boot_.journal.recover();
    if (decision) say("hold: the run's ledger can be used again");
    return decision;
  }
  if (!obstacle_is_gone(boot_, decision_.reason)) return std::nullopt;
  say("hold: what was in the way is gone");
  return boot_.journal.observe(policy::ObstacleCleared{});
}

std::optional<policy::Decision> Holding::look_upstream() {
  const std::string commit = newest_upstream_commit(boot_);
  if (commit.empty() && !policy::rule(decision_.reason).ends_with_upstream) return std::nullopt;
  const std::uint64_t seen = commit.empty() ? 0 : ledger::fingerprint(commit);
  if (seen == boot_.journal.history().commit) return std::nullopt;
  return boot_.journal.observe(policy::CommitSeen{seen}, {.commit = commit});
}

std::optional<policy::Decision> Holding::look() {
  constexpr Seconds kLookEveryMax{3600};
  const bool obstacle = policy::rule(decision_.reason).is_obstacle;
  auto decision = obstacle ? look_at_obstacle() : look_upstream();
  const bool at_once = Clock::now() - began_ < look_every_;
  if (!obstacle && !at_once) look_every_ = std::min(look_every_ * 2, kLookEveryMax);
  next_look_ = Clock::now() + look_every_;
  return decision;
}

// Another configuration may mean another run, other limits, another state folder: all begins anew with it, and the
// policy decides about the boot that begins whether the hold is over. One that cannot be used changes nothing.
bool Holding::is_configured_anew() {
  next_reading_ = when_to_read_again(boot_.arguments, boot_.environment);
  const auto read = read_configuration(boot_.arguments, boot_.environment, boot_.waiter);
  const auto valid = read ? config::validate(read->config, boot_.environment) : base::fail(read.error());
  const std::string unusable = valid ? "" : boot_.redactor.redact(valid.error().message());
  if (unusable != std::exchange(unusable_, unusable) && !unusable.empty())
    say("hold: the configuration was changed and cannot be used: {}", unusable);
  if (!valid) return false;
  const auto identity = configuration_identity(read->config, boot_.environment);
  boot_.configured_anew = identity != configuration_identity(boot_.config, boot_.environment);
  if (boot_.configured_anew) say("hold: the configuration was changed: beginning anew with it");
  return boot_.configured_anew;
}

// What it was held for is over, and something else is in the way.
void Holding::hold_for_another_reason(const policy::Hold& decision) {
  boot_.journal.keeper().watch_for_resume(true);
  if (decision.reason == decision_.reason) return;
  decision_ = decision;
  look_every_ = first_look();
  next_look_ = when_to_look_first();
  announce();
}

Next Holding::run() {
  (void)record_time(boot_);  // a hold already: no budget can stop it
  announce();
  Keeper& keeper = boot_.journal.keeper();
  keeper.watch_for_resume(true);
  pod::give_back_own_code(boot_.disks);
  while (boot_.waiter.stop_signal() == 0) {
    boot_.companions.tend(boot_.waiter);
    if (!keeper.connected()) {
      boot_.journal.tend();
      keeper.watch_for_resume(true);
    }
    pollfd descriptor{keeper.descriptor(), POLLIN, 0};
    boot_.waiter.wait(std::span<pollfd>(&descriptor, 1), next_wakeup());
    std::optional<policy::Decision> decision;
    if (boot_.journal.lease_lost()) return settle(boot_, policy::Run{});  // which waits for it
    if (keeper.resume_asked()) {
      say("hold: released by `podlaunch resume`");
      decision = boot_.journal.observe(policy::ResumeAsked{});
    } else if (Clock::now() >= next_look_) {
      decision = look();
    }
    if (boot_.waiter.stop_signal() != 0) break;
    if (!decision && Clock::now() >= next_reading_ && is_configured_anew()) return Next::kEnd;
    if (boot_.waiter.stop_signal() != 0) break;
    if (decision && !std::holds_alternative<policy::Hold>(*decision)) {
      keeper.watch_for_resume(false);
      tell_nodes_released();
      const Next next = settle(boot_, *decision);
      return next == Next::kGoOn ? Next::kStartOver : next;
    }
    if (decision) hold_for_another_reason(std::get<policy::Hold>(*decision));
    if (Clock::now() >= next_line_) say_still_held();
    if (Clock::now() >= next_stop_) stop_pod();
    (void)boot_.notifier.processes(boot_.waiter);
  }
  return settle(boot_, boot_.journal.observe(policy::Preempted{}));
}

Next hold(Boot& boot, const policy::Hold& decision) {
  return Holding(boot, decision).run();
}

}  // namespace boot
