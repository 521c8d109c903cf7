#include "launcher/base/glob.h"
#include "launcher/base/helper.h"
#include "launcher/boot/phases.h"
#include "launcher/boot/say.h"
#include "launcher/ledger/ledger.h"

namespace boot {

// The disk that the checkpoints are written to must outlive the pod, or a spot interruption loses the training.
static void warn_about_folders(const Boot& boot) {
  for (const std::string& pattern : boot.config.checkpoints) {
    const std::string folder = base::fixed_folder(pattern);
    if (boot.disks.survives(folder)) continue;
    say_phase("checkpoints", "warning: {} lies on the container's disk: checkpoints there are lost with the pod",
              folder);
  }
}

static policy::Decision failed(Boot& boot, const std::string& text) {
  if (boot.waiter.stop_signal() != 0) return boot.journal.observe(policy::Preempted{});
  say_phase("checkpoints", "{}", text);
  return boot.journal.observe(
      policy::PhaseFailed{policy::Phase::kCheckpoints, policy::Cause::kEnvironment, ledger::fingerprint("checkpoints")},
      {.phase = "checkpoints", .text = text});
}

policy::Decision check_checkpoints(Boot& boot) {
  if (boot.config.checkpoints.empty()) return policy::Run{};
  warn_about_folders(boot);
  const auto quarantine = boot.folder / "quarantine";
  const bool skip_newest = std::exchange(boot.set_newest_aside, false);
  const auto answer = base::call_helper(boot.waiter, "check the checkpoints", base::Seconds(600), [&] {
    return training::survey_checkpoints(boot.config.checkpoints, quarantine, skip_newest).to_json();
  });
  if (!answer) return failed(boot, answer.error().message());
  auto survey = training::CheckpointSurvey::from_json(*answer);
  if (!survey) return failed(boot, "the helper's answer could not be read");
  for (const std::string& moved : survey->set_aside) say_phase("checkpoints", "set aside: {}", moved);
  boot.checkpoints = std::move(*survey);
  if (!boot.checkpoints.resume_from.empty()) {
    say_phase("checkpoints", "resuming from {}", boot.checkpoints.resume_from);
    return policy::Run{};
  }
  const std::string& best = boot.journal.memory().best_checkpoint;
  if (best.empty()) {
    say_phase("checkpoints", "none yet");
    return policy::Run{};
  }
  const std::string text = fmt::format("the run had {}, and no usable checkpoint is there now", best);
  say_phase("checkpoints", "{}", text);
  if (boot.config.allow_restart_from_zero) {
    say_phase("checkpoints", "warning: starting again from nothing, as --allow-restart-from-zero says");
    return policy::Run{};
  }
  return boot.journal.observe(policy::Blocked{policy::Obstacle::kCheckpointsLost},
                              {.phase = "checkpoints", .text = text});
}

}  // namespace boot
