#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "launcher/base/files.h"
#include "launcher/base/helper.h"
#include "launcher/boot/keeper/say.h"
#include "launcher/boot/paid_time.h"
#include "launcher/boot/phases/phases.h"
#include "launcher/boot/pointer.h"
#include "launcher/boot/waiting.h"
#include "launcher/ledger/ledger.h"

namespace boot {

training::CheckpointSurvey look_at_checkpoints(Boot& boot) {
  if (boot.config.checkpoints.empty()) return {};
  const auto answer = base::call_helper(
      boot.waiter, "look at the checkpoints", base::Seconds(120),
      [&] { return training::survey_checkpoints(boot.config.checkpoints).to_json(); },
      say_still_at_work("checkpoints", fmt::format("{}", fmt::join(boot.config.checkpoints, " "))));
  if (!answer) return {};  // the checkpoints phase looks again and says what is wrong
  return training::CheckpointSurvey::from_json(*answer).value_or(training::CheckpointSurvey());
}

bool is_progress(const Boot& boot, const training::CheckpointSurvey& survey) {
  if (survey.number.value_or(0) <= 0) return false;  // the weights that training begins with are no progress
  const std::string& best = boot.journal.memory().best_checkpoint;
  if (best.empty()) return true;
  return survey.number > training::number_in_name(std::filesystem::path(best).filename().string());
}

// A clock that stands before the newest record was set back between two boots, or was wrong then.
static void say_if_clock_is_back(Boot& boot) {
  const std::int64_t newest = boot.journal.memory().newest_wall_milliseconds;
  const std::int64_t behind = (newest - wall_milliseconds()) / 1000;
  if (behind < 60) return;
  const std::string text = describe_jump(-behind);
  say_phase("decide", "{} since the ledger was last written; nothing that is decided depends on it", text);
  (void)boot.journal.observe(policy::ClockStrange{}, {.phase = "decide", .text = text});
}

policy::Decision begin_boot(Boot& boot) {
  look_at_gpus(boot);
  boot.checkpoints = look_at_checkpoints(boot);
  const ledger::Memory& memory = boot.journal.memory();
  boot.found_finished = memory.history.finished;
  boot.previous_host = memory.last_host;
  boot.unclean_before = memory.history.boot_open && !memory.history.told_to_end;
  const bool progress = memory.attempts > 0 && is_progress(boot, boot.checkpoints);
  const policy::BootBegan began{.configuration = configuration_identity(boot.config, boot.environment),
                                .hardware = hardware_of(boot),
                                .progress_found = progress,
                                .older_checkpoint = boot.checkpoints.whole > 1};
  leave_pointer({.run = boot.run,
                 .folder = boot.folder.string(),
                 .checkout = boot.config.checkout.string(),
                 .started_in = boot.started_in,
                 .arguments = boot.arguments});
  ledger::Facts facts;
  if (progress) facts.checkpoint = boot.checkpoints.resume_from;
  const policy::Decision decision = boot.journal.observe(began, std::move(facts));
  say_if_clock_is_back(boot);
  look_at_clock(boot);
  say_phase("decide", "run {}, boot {}, {} so far: {}", boot.run, memory.boots,
            base::counted(memory.attempts, "attempt"), policy::name(decision));
  return decision;
}

}  // namespace boot
