// The conclusion of a finished run, step by step: publish its results, tell whoever wants to know, have the pod ended.
//
// A step that fails is tried again with a growing wait. Ten failures in a row are one ConclusionFailed for the policy,
// which allows a few of these and then holds; with these waits that is after more than three hours. Each step's success
// is in the ledger before the next one begins, so a restart goes on where this boot was ended: a step that was ended
// between its success and its record is done twice, never left out.

#include "launcher/boot/ending/conclude.h"

#include "base/text.h"
#include "launcher/boot/ending/end_pod.h"
#include "launcher/boot/keeper/say.h"
#include "launcher/boot/notify.h"
#include "launcher/boot/phases/phases.h"
#include "launcher/training/supervise.h"

namespace boot {

using base::Clock;
using base::Seconds;
using base::TimePoint;

namespace {

constexpr int kTriesInARow = 10;

class Conclusion {
 public:
  explicit Conclusion(Boot& boot) : boot_(boot) {}
  Next run();

 private:
  std::optional<Next> publish();
  bool publish_once();
  void tell_done();
  Next end_pod(provider::Ending ending);
  std::optional<Next> failed(policy::Conclusion conclusion, const std::string& text);
  Next stay_here(const std::string& line);

  Boot& boot_;
  int failures_ = 0;
};

}  // namespace

Next Conclusion::stay_here(const std::string& line) {
  boot_.exit_status = stay(boot_.waiter, line);
  return Next::kEnd;
}

// After one more failure: nothing to try again, once the wait is over.
std::optional<Next> Conclusion::failed(policy::Conclusion conclusion, const std::string& text) {
  ++failures_;
  if (failures_ % kTriesInARow == 0) {
    const policy::Decision decision = boot_.journal.observe(policy::ConclusionFailed{conclusion}, {.text = text});
    if (!std::holds_alternative<policy::Retry>(decision)) return settle(boot_, decision);
  }
  const Seconds wait = provider::wait_after((failures_ - 1) % kTriesInARow + 1);
  say_phase(policy::name(conclusion), "trying again in {} s", wait.count());
  const TimePoint until = Clock::now() + wait;
  while (boot_.waiter.stop_signal() == 0 && Clock::now() < until) boot_.waiter.wait({}, until);
  if (boot_.waiter.stop_signal() == 0) return std::nullopt;
  return settle(boot_, boot_.journal.observe(policy::Preempted{}));
}

bool Conclusion::publish_once() {
  say_phase("publish", "{}", boot_.redactor.redact(boot_.config.publish));
  training::Supervision supervision;
  supervision.program.arguments = {"/bin/sh", "-c", boot_.config.publish};
  supervision.program.folder = boot_.config.checkout.string();
  supervision.program.environment = boot_.config.environment;
  supervision.program.environment.emplace_back("PODLAUNCH_RUN_ID", boot_.run);
  supervision.program.environment.emplace_back("PODLAUNCH_RESUME_FROM", boot_.checkpoints.resume_from);
  supervision.spared = [this] { return boot_.spared(); };
  supervision.grace = grace_for_child(boot_);
  supervision.on_output = [this](std::string_view bytes) { boot_.journal.keep_log(bytes); };
  const auto ended = training::supervise(boot_.waiter, supervision);
  if (!ended) say_phase("publish", "failed: {}", ended.error().message());
  if (ended && !ended->status.success()) say_phase("publish", "failed: {}", ended->status.describe());
  return ended && ended->stop_signal == 0 && ended->status.success();
}

// Nothing once it is published.
std::optional<Next> Conclusion::publish() {
  if (boot_.config.publish.empty()) return std::nullopt;
  if (boot_.journal.memory().published) {
    say_phase("publish", "done before");
    return std::nullopt;
  }
  if (boot_.found_finished) {
    // A new container disk may lack the project that the command belongs to. What becomes of these phases decides
    // nothing: a finished run goes on to its conclusion.
    (void)bring_up_checkout(boot_);
    (void)set_up(boot_);
  }
  failures_ = 0;
  while (!publish_once()) {
    if (boot_.waiter.stop_signal() != 0) return settle(boot_, boot_.journal.observe(policy::Preempted{}));
    if (const auto next = failed(policy::Conclusion::kPublish, "the publish command failed")) return next;
  }
  say_phase("publish", "done");
  (void)boot_.journal.note("published", {.phase = "publish"});
  return std::nullopt;
}

// Before the pod is ended, and with a bound: who is not reached learns it from the console.
void Conclusion::tell_done() {
  if (boot_.config.notify.empty() || boot_.journal.memory().told_done) return;
  boot_.notifier.start(notification(boot_, Event::kDone), boot_);
  if (boot_.notifier.finish(boot_.waiter, Seconds(120))) (void)boot_.journal.note("told-done", {.phase = "notify"});
}

Next Conclusion::end_pod(provider::Ending ending) {
  failures_ = 0;
  for (;;) {
    const PodEndTry done = try_to_end_pod(boot_, ending, fmt::format("run {} is done", boot_.run));
    std::string text = done.text;
    switch (done.result) {
      case PodEnd::kEnding:
        if (wait_for_own_end(boot_)) return settle(boot_, boot_.journal.observe(policy::Preempted{}));
        text = "the provider said yes, and the pod goes on";
        break;
      case PodEnd::kToldToStop:
        return settle(boot_, boot_.journal.observe(policy::Preempted{}));
      case PodEnd::kNotPossible:
        say_phase("end", "{}", text);
        return stay_here(
            fmt::format("finished: run {} is done; this pod cannot be stopped from here: stop it by hand", boot_.run));
      case PodEnd::kUnsafe:
        say_phase("end", "{}", text);
        return settle(boot_, boot_.journal.observe(policy::Blocked{policy::Obstacle::kStopUnsafe},
                                                   {.phase = "end", .text = text}));
      case PodEnd::kFailed:
        break;
    }
    say_phase("end", "{}", text);
    if (const auto next = failed(policy::Conclusion::kStop, text)) return *next;
  }
}

Next Conclusion::run() {
  const ledger::Memory& memory = boot_.journal.memory();
  say("finished: run {} is done after {} in {}; it will not be run again (a new --run is)", boot_.run,
      base::counted(memory.attempts, "attempt"), base::counted(memory.boots, "boot"));
  if (const auto next = publish()) return *next;
  tell_done();
  if (boot_.waiter.stop_signal() != 0) return settle(boot_, boot_.journal.observe(policy::Preempted{}));
  using config::OnComplete;
  if (boot_.config.on_complete == OnComplete::kStopPod) return end_pod(provider::Ending::kStop);
  if (boot_.config.on_complete == OnComplete::kTerminatePod) return end_pod(provider::Ending::kTerminate);
  const bool was_restarted = boot_.found_finished && boot_.identity.first_process;
  if (boot_.config.on_complete == OnComplete::kExit && !was_restarted) {
    boot_.exit_status = 0;
    return Next::kEnd;
  }
  // Leaving here would make the platform start this container again and again.
  if (boot_.config.on_complete == OnComplete::kExit)
    say("finished: something restarts this container: staying instead of leaving");
  return stay_here(fmt::format("finished: run {} is done; this pod may be stopped", boot_.run));
}

Next conclude(Boot& boot) {
  return Conclusion(boot).run();
}

}  // namespace boot
