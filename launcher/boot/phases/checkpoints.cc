#include <fmt/ranges.h>

#include <sstream>

#include "launcher/base/glob.h"
#include "launcher/base/helper.h"
#include "launcher/boot/keeper/say.h"
#include "launcher/boot/phases/phases.h"
#include "launcher/boot/waiting.h"
#include "launcher/ledger/ledger.h"

namespace boot {

// The disk that the checkpoints are written to must outlive the pod, or a spot interruption loses the training.
static void warn_about_folders(Boot& boot) {
  const auto lost = base::call_helper(boot.waiter, "see which disk the checkpoints go to", base::Seconds(60), [&] {
    std::string folders;
    for (const std::string& pattern : boot.config.checkpoints) {
      const std::string folder = base::fixed_folder(pattern);
      if (!boot.disks.survives_when_asked(folder)) folders += folder + '\n';
    }
    return folders;
  });
  if (!lost) return;  // the check of the checkpoints themselves finds the same disk, and says so
  std::istringstream folders(*lost);
  for (std::string folder; std::getline(folders, folder);) {
    say_phase(
        "checkpoints",
        "warning: {} lies on the container's disk: checkpoints there are lost with the pod. Let the training save "
        "to a volume, or mount one there",
        folder);
  }
}

// The bytes are read where they may not be what was written: after an end that nobody wrote down, on another host, and
// when attempts fail. Reading stops in time for the check to be done.
static training::Closeness closeness_for(const Boot& boot) {
  const bool doubtful = boot.unclean_before || boot.journal.history().failures > 0 ||
                        (!boot.previous_host.empty() && boot.previous_host != boot.identity.host);
  return {.checksums = doubtful, .checksums_until = base::Clock::now() + base::Seconds(400)};
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
  const training::SurveyWay way{.quarantine = quarantine,
                                .skip_newest = std::exchange(boot.set_newest_aside, false),
                                .even_all = boot.config.allow_restart_from_zero,
                                .closeness = closeness_for(boot)};
  const auto answer = base::call_helper(
      boot.waiter, "check the checkpoints", base::Seconds(600),
      [&] { return training::survey_checkpoints(boot.config.checkpoints, way).to_json(); },
      say_still_at_work("checkpoints", fmt::format("{}", fmt::join(boot.config.checkpoints, " "))));
  if (!answer) return failed(boot, answer.error().message());
  auto survey = training::CheckpointSurvey::from_json(*answer);
  if (!survey) return failed(boot, "the helper's answer could not be read");
  for (const std::string& moved : survey->set_aside) say_phase("checkpoints", "set aside: {}", moved);
  boot.checkpoints = std::move(*survey);
  if (!boot.checkpoints.resume_from.empty()) {
    say_phase("checkpoints", "resuming from {}", boot.checkpoints.resume_from);
    // What was there before the run's first attempt is no progress of its.
    if (boot.journal.memory().attempts == 0)
      boot.journal.note("checkpoint-found", {.phase = "checkpoints", .checkpoint = boot.checkpoints.resume_from});
    return policy::Run{};
  }
  const std::string& best = boot.journal.memory().best_checkpoint;
  const std::vector<std::string>& unusable = boot.checkpoints.unusable;
  if (best.empty() && unusable.empty()) {
    if (boot.checkpoints.set_aside.empty())
      say_phase("checkpoints", "none yet");
    else
      say_phase("checkpoints", "warning: none but what was set aside: the training starts from nothing");
    return policy::Run{};
  }
  const std::string text = unusable.empty()
                               ? fmt::format("the run had {}, and no usable checkpoint is there now", best)
                               : fmt::format("{} checkpoints are there, and none of them is whole. The newest is {}",
                                             unusable.size(), unusable.front());
  say_phase("checkpoints", "{}", text);
  if (boot.config.allow_restart_from_zero) {
    say_phase("checkpoints", "warning: starting again from nothing, as --allow-restart-from-zero says");
    return policy::Run{};
  }
  return boot.journal.observe(policy::Blocked{policy::Obstacle::kCheckpointsLost},
                              {.phase = "checkpoints", .text = text});
}

}  // namespace boot
