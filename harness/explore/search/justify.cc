#include "harness/explore/search/justify.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <span>

#include "harness/oracle/expectations.h"

namespace explore {

using scenario::Outcome;

namespace {

constexpr std::uint64_t kSmallDisk = 128ULL << 20;

// The rest of what is drawn lies in the checkout, and is to be mended.
bool is_of_a_checkpoint(const scenario::FileDamage& damage) {
  return damage.path.find("/.git/") == std::string::npos;
}

// Each gives the reason to hold that lies in the action, or nothing.
struct CauseOfHold {
  std::string operator()(const scenario::TrainerFault&) const { return "the training itself fails"; }
  std::string operator()(const scenario::NetworkDown& down) const {
    return down.lasting == scenario::Duration(0) ? "the network is down for good" : "";
  }
  std::string operator()(const scenario::NetworkFault& fault) const {
    if (fault.fault == "http-401" || fault.fault == "http-403" || fault.fault == "http-404") {
      return "the service says no in a way that no wait mends";
    }
    return fault.times == 0 && fault.lasting == scenario::Duration(0) ? "the service fails for good" : "";
  }
  std::string operator()(const scenario::PipFails& fails) const {
    return fails.times == 0 ? "the package index is away for good" : "";
  }
  std::string operator()(const scenario::DiskFault&) const { return "a disk fails"; }
  std::string operator()(const scenario::FileDamage& damage) const {
    return is_of_a_checkpoint(damage) ? "checkpoints are lost" : "";
  }
  std::string operator()(const scenario::GpuFault&) const { return "a GPU fails"; }
  std::string operator()(const scenario::NvidiaSmiFault&) const { return "nvidia-smi fails"; }
  std::string operator()(const scenario::EnvironmentChange&) const { return "the environment changes"; }
  template <class Other>
  std::string operator()(const Other&) const {
    return {};
  }
};

}  // namespace

using Environment = std::map<std::string, std::string>;

static bool lacks_secret(const scenario::Scenario& scenario, const Environment& environment) {
  const auto& command = scenario.start.command;
  const auto flag = std::ranges::find(command, "--secret");
  return flag != command.end() && flag + 1 != command.end() && !environment.contains(*(flag + 1));
}

static bool wants_stop(const scenario::Scenario& scenario) {
  return scenario.provider && std::ranges::count(scenario.start.command, "stop-pod") > 0;
}

Outcome wanted_outcome(const scenario::Scenario& scenario) {
  return wants_stop(scenario) ? Outcome::kStopped : Outcome::kCompleted;
}

// With a clock that is wrong for good, no certificate of the provider's is valid.
static bool certificates_look_old(const scenario::Scenario& scenario) {
  return std::ranges::any_of(scenario.timeline, [](const scenario::TimelineEntry& entry) {
    const auto* jump = std::get_if<scenario::ClockJump>(&entry.action);
    return jump != nullptr && std::chrono::abs(jump->by) > std::chrono::hours(24);
  });
}

std::string cause_for_hold(const scenario::Scenario& scenario) {
  for (const auto& disk : scenario.pod.disks) {
    if (disk.size_bytes < kSmallDisk) return "a disk is small";
  }
  if (lacks_secret(scenario, scenario.pod.environment)) return "a secret is missing";
  for (const auto& entry : scenario.timeline) {
    if (std::string cause = std::visit(CauseOfHold{}, entry.action); !cause.empty()) return cause;
  }
  return {};
}

template <class Wanted>
static bool any_is(std::span<const scenario::TimelineEntry> entries) {
  return std::ranges::any_of(entries, [](const auto& one) { return std::holds_alternative<Wanted>(one.action); });
}

// What containers find in the end: everything that is asked for, and nothing else than at first.
static bool template_ends_well(const scenario::Scenario& scenario) {
  Environment last = scenario.pod.environment;
  bool takes_effect = true;
  for (const auto& entry : scenario.timeline) {
    if (std::holds_alternative<scenario::RecreatePod>(entry.action)) takes_effect = true;
    const auto* change = std::get_if<scenario::EnvironmentChange>(&entry.action);
    if (change == nullptr) continue;
    takes_effect = false;
    for (const auto& [name, value] : change->variables) {
      if (value) last[name] = *value;
      if (!value) last.erase(name);
    }
  }
  if (!takes_effect || lacks_secret(scenario, last)) return false;
  if (lacks_secret(scenario, scenario.pod.environment)) return true;  // that was what had to change
  return last == scenario.pod.environment;
}

// Whether the entry's cause is gone after a while. `later` comes after it in the timeline.
static bool heals(const scenario::Scenario& scenario, const scenario::TimelineEntry& entry,
                  std::span<const scenario::TimelineEntry> later) {
  if (entry.when.every) return false;
  if (const auto* fault = std::get_if<scenario::NetworkFault>(&entry.action))
    return fault->times > 0 || fault->lasting > scenario::Duration(0);
  if (const auto* fault = std::get_if<scenario::DiskFault>(&entry.action))
    return fault->lasting > scenario::Duration(0) && fault->lasting < std::chrono::hours(1);
  if (std::holds_alternative<scenario::GpuFault>(entry.action) ||
      std::holds_alternative<scenario::NvidiaSmiFault>(entry.action)) {
    return any_is<scenario::RecreatePod>(later);
  }
  if (const auto* fault = std::get_if<scenario::TrainerFault>(&entry.action)) {
    // Where nothing else says what finished means, exit 0 does.
    return fault->kind != scenario::TrainerFaultKind::kExitZero ||
           std::ranges::count(scenario.start.command, "--done-when") > 0;
  }
  return std::holds_alternative<scenario::EnvironmentChange>(entry.action);  // template_ends_well judges all of them
}

static bool is_resume(const scenario::TimelineEntry& entry) {
  const auto* exec = std::get_if<scenario::Exec>(&entry.action);
  return exec != nullptr && exec->command == std::vector<std::string>{"podlaunch", "resume"} && entry.when.log;
}

bool ends_well(const scenario::Scenario& scenario) {
  if (!template_ends_well(scenario)) return false;
  for (const auto& disk : scenario.pod.disks) {
    if (disk.size_bytes < kSmallDisk) return false;
  }
  const std::span<const scenario::TimelineEntry> entries = scenario.timeline;
  std::ptrdiff_t causes = 0;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (std::visit(CauseOfHold{}, entries[i].action).empty()) continue;
    if (!heals(scenario, entries[i], entries.subspan(i + 1))) return false;
    ++causes;
  }
  return std::ranges::count_if(entries, is_resume) > causes;
}

// Nothing: a hold is in order.
static std::string complaint_of_hold(const scenario::Scenario& scenario) {
  if (cause_for_hold(scenario).empty()) return "held, though every fault was over and none is a reason to hold";
  if (ends_well(scenario)) return "held, though every reason was gone and somebody had said resume";
  return {};
}

// Nothing: the outcome is in order.
static std::string complaint(const scenario::Scenario& scenario, std::optional<Outcome> outcome,
                             const pod::WorldRecord& record) {
  const bool finished =
      std::ranges::any_of(record.attempts, [](const pod::Attempt& attempt) { return attempt.finished; });
  if (outcome == Outcome::kStopped && finished) return wants_stop(scenario) ? "" : "stopped, and nobody asked for it";
  if (outcome == Outcome::kStopped) {
    // What is held is paid for, so in the end it is stopped.
    const bool held = scenario.provider && !cause_for_hold(scenario).empty();
    return held ? "" : "stopped, with the training not finished and no reason to hold";
  }
  if (outcome == Outcome::kCompleted) {
    const bool missed = wants_stop(scenario) && cause_for_hold(scenario).empty() && !certificates_look_old(scenario);
    return missed ? "the pod was to be stopped, and was not" : "";
  }
  if (outcome == Outcome::kHeld) return complaint_of_hold(scenario);
  return fmt::format("{}, and not completed", outcome ? name(*outcome) : "ended without an outcome");
}

// Damage that no boot came to see was nobody's to mend; and boots of a finished run do not look at the checkout.
static bool is_damaged_last(const pod::WorldRecord& record) {
  if (record.boots.empty()) return false;
  const bool finished = !record.attempts.empty() && record.attempts.back().finished;
  scenario::Duration last_look = record.boots.back().start;
  for (const auto& boot : record.boots) {
    if (finished && boot.number == record.attempts.back().boot) last_look = boot.start;
  }
  return std::ranges::any_of(record.events, [&](const pod::Event& event) {
    const bool to_git = event.text.starts_with("damage to .git") || event.text.find("/.git/") != std::string::npos;
    return event.kind == pod::EventKind::kFault && to_git && event.at > last_look;
  });
}

// When the checkout was last taken away with its container disk, from outside; nothing: never.
static std::optional<scenario::Duration> checkout_taken_away(const scenario::Scenario& scenario,
                                                             const pod::WorldRecord& record) {
  const bool on_a_disk_that_stays = std::ranges::any_of(scenario.pod.disks, [&](const scenario::Disk& disk) {
    return disk.kind != scenario::DiskKind::kContainer && scenario.start.checkout.starts_with(disk.mount_path + "/");
  });
  std::optional<scenario::Duration> last;
  for (const auto& boot : record.boots) {
    const bool taken = boot.ended_by == pod::BootEnd::kInterrupted || boot.ended_by == pod::BootEnd::kRecreated;
    if (taken && !on_a_disk_that_stays) last = boot.end;
  }
  return last;
}

// Work on the container disk of a pod that somebody takes away is lost with it, whatever the command does.
static bool went_with_the_pod(const scenario::Scenario& scenario, const pod::WorldRecord& record,
                              const std::string& lost_text) {
  const auto taken_away = checkout_taken_away(scenario, record);
  return taken_away && std::ranges::all_of(record.events, [&](const pod::Event& event) {
           const bool work = event.kind == pod::EventKind::kFault && event.text.starts_with("the user ");
           const bool lost = work && lost_text.find(event.text.substr(event.text.rfind(' ') + 1)) != std::string::npos;
           return !lost || event.at <= *taken_away;
         });
}

// A finished run needs no checkout in the pods that come later.
static bool needs_no_checkout(const scenario::Scenario& scenario, const pod::WorldRecord& record) {
  if (record.attempts.empty() || !record.attempts.back().finished) return false;
  return checkout_taken_away(scenario, record) > record.attempts.back().end;
}

// Whether the pod was killed so often that the launcher may blame the newest checkpoint: three times without a word,
// and without a training in between that went on for the minute in which progress is believed.
static bool killed_again_and_again(const pod::WorldRecord& record) {
  constexpr int kKillsBlamed = 3;
  constexpr auto kBelieved = std::chrono::minutes(1);
  constexpr base::WaitStatus kKilled{base::WaitStatus::Kind::kSignaled, SIGKILL};
  int kills = 0;
  for (const auto& boot : record.boots) {
    const bool lasted = std::ranges::any_of(record.attempts, [&](const pod::Attempt& attempt) {
      return attempt.boot == boot.number && attempt.end - attempt.start >= kBelieved;
    });
    if (lasted) {
      kills = 0;
    } else if (boot.ended_by != pod::BootEnd::kStillRunning && boot.status == kKilled && ++kills == kKillsBlamed) {
      return true;
    }
  }
  return false;
}

// What a finding says, and is no failure because of what was drawn. The oracle counts checkpoints that were written; it
// does not know of those that somebody spoilt afterwards.
static bool excused(const scenario::Scenario& scenario, const pod::WorldRecord& record,
                    const oracle::Finding& finding) {
  // Damage that could not be mended, for a reason to hold, is what the hold is about.
  const bool holds = record.outcome == Outcome::kHeld && !cause_for_hold(scenario).empty();
  if (finding.subject == "checkout-sound")
    return holds || is_damaged_last(record) || needs_no_checkout(scenario, record);
  if (finding.subject == "work-preserved") return went_with_the_pod(scenario, record, finding.text);
  if (finding.subject != "training-resumes") return false;
  const bool older_checkpoint = finding.text.find("although a checkpoint") != std::string::npos;
  return std::ranges::any_of(scenario.timeline,
                             [&](const scenario::TimelineEntry& entry) {
                               // Where every attempt fails in the same way, the checkpoint before the newest is tried,
                               // too.
                               const bool fails_again = std::holds_alternative<scenario::TrainerFault>(entry.action) &&
                                                        (entry.when.every || entry.when.attempt);
                               const auto* damage = std::get_if<scenario::FileDamage>(&entry.action);
                               return (damage != nullptr && is_of_a_checkpoint(*damage)) ||
                                      (fails_again && older_checkpoint);
                             }) ||
         (older_checkpoint && killed_again_and_again(record));
}

Judged judge_drawn(const scenario::Scenario& scenario, const oracle::ScenarioResult& result) {
  Judged judged;
  if (result.judgement == oracle::Judgement::kSetupError) {
    return {Standing::kUnknown, {}, "could not be played: " + result.reason};
  }
  const auto outcome = oracle::actual_outcome(result.record, result.verdicts);
  const auto fail = [&](const std::string& subject, const std::string& reason) {
    judged.standing = Standing::kFailed;
    judged.failures.push_back(subject);
    if (judged.reason.empty()) judged.reason = subject + ": " + reason;
  };
  for (const auto& finding : result.findings) {
    if (finding.subject == "timeline" || finding.subject == "outcome" || excused(scenario, result.record, finding))
      continue;
    if (finding.judgement == oracle::Judgement::kFail) fail(finding.subject, finding.text);
    if (finding.judgement == oracle::Judgement::kUnknown && judged.standing == Standing::kGood) {
      judged.standing = Standing::kUnknown;
      judged.reason = finding.subject + ": " + finding.text;
    }
  }
  // A loop that its oracle has named already is one failure, not two.
  const bool named = outcome == Outcome::kLooped && std::ranges::count(judged.failures, "never-loops") > 0;
  if (const std::string text = complaint(scenario, outcome, result.record); !text.empty() && !named)
    fail("outcome", text);
  std::ranges::sort(judged.failures);
  if (judged.reason.empty()) {
    judged.reason = fmt::format("{}, {} boots", outcome ? name(*outcome) : "ended", result.record.boots.size());
  }
  return judged;
}

}  // namespace explore
