#include <unistd.h>

#include <nlohmann/json.hpp>

#include "launcher/base/files.h"
#include "launcher/base/helper.h"
#include "launcher/boot/phases.h"
#include "launcher/boot/pointer.h"
#include "launcher/boot/say.h"
#include "launcher/ledger/ledger.h"

namespace boot {

// How many GPUs there have to be: 0 when nobody asked for any.
static int gpus_wanted(const Boot& boot) {
  if (boot.config.gpus) return *boot.config.gpus;
  const auto found = boot.environment.find("RUNPOD_GPU_COUNT");
  return found == boot.environment.end() ? 0 : std::max(0, std::atoi(found->second.c_str()));
}

static std::uint64_t hardware_of(const pod::GpuReport& report) {
  if (report.gpus.empty()) return 0;
  std::string all;
  for (const pod::Gpu& gpu : report.gpus) all += gpu.uuid + "\n";
  return ledger::fingerprint(all);
}

static training::CheckpointSurvey look_at_checkpoints(Boot& boot) {
  if (boot.config.checkpoints.empty()) return {};
  const auto answer = base::call_helper(boot.waiter, "look at the checkpoints", base::Seconds(120), [&] {
    return training::survey_checkpoints(boot.config.checkpoints).to_json();
  });
  if (!answer) return {};  // the checkpoints phase looks again and says what is wrong
  return training::CheckpointSurvey::from_json(*answer).value_or(training::CheckpointSurvey());
}

bool is_progress(const Boot& boot, const training::CheckpointSurvey& survey) {
  if (!survey.number) return false;
  const std::string& best = boot.journal.memory().best_checkpoint;
  if (best.empty()) return true;
  return survey.number > training::number_in_name(std::filesystem::path(best).filename().string());
}

policy::Decision begin_boot(Boot& boot) {
  if (gpus_wanted(boot) > 0) boot.gpus = pod::ask_for_gpus(boot.waiter);
  boot.checkpoints = look_at_checkpoints(boot);
  const ledger::Memory& memory = boot.journal.memory();
  boot.found_finished = memory.history.finished;
  boot.previous_host = memory.last_host;
  boot.unclean_before = memory.history.boot_open && !memory.history.told_to_end;
  const bool progress = memory.attempts > 0 && is_progress(boot, boot.checkpoints);
  const policy::BootBegan began{.configuration = configuration_identity(boot.config, boot.environment),
                                .hardware = boot.gpus ? hardware_of(*boot.gpus) : 0,
                                .progress_found = progress,
                                .older_checkpoint = boot.checkpoints.whole > 1};
  leave_pointer({.run = boot.run,
                 .folder = boot.folder.string(),
                 .checkout = boot.config.checkout.string(),
                 .process = ::getpid()});
  ledger::Facts facts;
  if (progress) facts.checkpoint = boot.checkpoints.resume_from;
  const policy::Decision decision = boot.journal.observe(began, std::move(facts));
  say_phase("decide", "run {}, boot {}, {} attempts so far: {}", boot.run, memory.boots, memory.attempts,
            policy::name(decision));
  return decision;
}

policy::Decision check_gpus(Boot& boot) {
  const int wanted = gpus_wanted(boot);
  if (wanted == 0) return policy::Run{};
  if (!boot.gpus) boot.gpus = pod::ask_for_gpus(boot.waiter);
  const pod::GpuReport report = *std::exchange(boot.gpus, std::nullopt);
  using State = pod::GpuReport::State;
  if (report.state == State::kNoProgram && !boot.config.gpus) {
    say_phase("gpus", "warning: the platform promises {} GPUs, but nvidia-smi is not in this image; not checked",
              wanted);
    return policy::Run{};
  }
  if (report.state == State::kHung) return boot.journal.observe(policy::Blocked{policy::Obstacle::kGpuCheckHung});
  if (report.state == State::kFailed) {
    const std::string text = "nvidia-smi failed: " + report.detail;
    say_phase("gpus", "{}", text);
    return boot.journal.observe(
        policy::PhaseFailed{policy::Phase::kGpus, policy::Cause::kEnvironment, ledger::fingerprint(text)},
        {.phase = "gpus", .text = text});
  }
  const int found = static_cast<int>(report.gpus.size());
  say_phase("gpus", "{} of {} there", found, wanted);
  for (const pod::Gpu& gpu : report.gpus) {
    if (gpu.uncorrected_errors > 0)
      say_phase("gpus", "warning: {} ({}) reports {} uncorrected memory errors", gpu.uuid, gpu.name,
                gpu.uncorrected_errors);
  }
  if (found >= wanted) return policy::Run{};
  return boot.journal.observe(policy::Blocked{policy::Obstacle::kGpusMissing},
                              {.phase = "gpus", .text = fmt::format("{} GPUs wanted, {} there", wanted, found)});
}

bool obstacle_is_gone(Boot& boot, policy::HoldReason reason) {
  if (reason == policy::HoldReason::kGpusMissing || reason == policy::HoldReason::kGpuCheckHung) {
    boot.gpus = pod::ask_for_gpus(boot.waiter);
    const bool answered = boot.gpus->state == pod::GpuReport::State::kAnswered;
    return answered && static_cast<int>(boot.gpus->gpus.size()) >= gpus_wanted(boot);
  }
  if (reason == policy::HoldReason::kCheckpointsLost) return !look_at_checkpoints(boot).resume_from.empty();
  return false;
}

}  // namespace boot
