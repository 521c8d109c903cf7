#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/check.h"
#include "launcher/base/helper.h"
#include "launcher/boot/keeper/say.h"
#include "launcher/boot/paid_time.h"
#include "launcher/boot/phases/phases.h"
#include "launcher/boot/phases/setup_stamps.h"
#include "launcher/boot/waiting.h"
#include "launcher/ledger/ledger.h"
#include "launcher/training/failure.h"
#include "launcher/training/supervise.h"

namespace boot {

static policy::Decision step_failed(Boot& boot, const std::string& step, policy::Cause cause, const std::string& text,
                                    const std::string& signature) {
  const std::string clean = boot.redactor.redact(fmt::format("setup step \"{}\" failed: {}", step, text));
  say_phase("setup", "{}", clean);
  return boot.journal.observe(policy::PhaseFailed{policy::Phase::kSetup, cause, ledger::fingerprint(signature)},
                              {.phase = "setup", .text = clean});
}

// Nothing when the step succeeded.
static std::optional<policy::Decision> run_step(Boot& boot, const std::string& step) {
  say_phase("setup", "{}", step);
  boot.journal.mark_log("setup: " + step);
  training::RootError error;
  training::Supervision supervision;
  supervision.program.arguments = {"/bin/sh", "-c", step};
  supervision.program.folder = boot.config.checkout.string();
  supervision.program.environment = boot.config.environment;
  supervision.spared = [&] { return boot.spared(); };
  supervision.grace = grace_for_child(boot);
  supervision.on_output = [&](std::string_view bytes) { boot.journal.keep_log(bytes); };
  supervision.on_line = [&](std::string_view line) { error.see(line); };
  supervision.on_tick = [&] {
    // A budget that is spent is looked at before the training; what has begun is brought to its end.
    if (unrecorded_time(boot) >= kRecordTimeEvery && !budget_is_spent(boot)) (void)record_time(boot);
    return true;
  };
  const long kills_before = training::out_of_memory_kills();
  const auto ended = training::supervise(boot.waiter, supervision);
  if (!ended && boot.waiter.stop_signal() != 0) return boot.journal.observe(policy::Preempted{});
  if (!ended)
    return step_failed(boot, step, policy::Cause::kEnvironment, ended.error().message(), ended.error().message());
  if (ended->stop_signal != 0) return boot.journal.observe(policy::Preempted{});
  if (ended->status.success()) return std::nullopt;
  const bool memory = training::out_of_memory_kills() > kills_before;
  const training::Failure failure = training::describe_failure(ended->status, error.text(), memory);
  return step_failed(boot, step, failure.cause, failure.text, step + failure.signature);
}

static std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    lines.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  return lines;
}

policy::Decision set_up(Boot& boot) {
  const std::vector<std::string>& steps = boot.config.setup;
  if (steps.empty()) return policy::Run{};
  const auto answer = base::call_helper(
      boot.waiter, "read the checkout's manifests", base::Seconds(120),
      [&] { return fmt::format("{}", fmt::join(setup_stamps(boot.config, boot.environment), "\n")); },
      say_still_at_work("setup", boot.config.checkout.string()));
  if (boot.waiter.stop_signal() != 0) return boot.journal.observe(policy::Preempted{});
  if (!answer)
    return step_failed(boot, steps.front(), policy::Cause::kEnvironment, answer.error().message(), "manifests");
  const std::vector<std::string> stamps = lines_of(*answer);
  CHECK(stamps.size() == steps.size());
  bool unchanged = true;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    // After a step that ran, those behind it may build on what it changed.
    unchanged = unchanged && is_stamped(boot.config, i, stamps[i]);
    if (unchanged) {
      say_phase("setup", "unchanged, skipped: {}", steps[i]);
      continue;
    }
    if (auto problem = run_step(boot, steps[i])) return *problem;
    write_stamp(boot.config, i, stamps[i]);
  }
  return policy::Run{};
}

}  // namespace boot
