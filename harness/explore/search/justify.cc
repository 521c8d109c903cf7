#include "harness/explore/search/justify.h"

#include <fmt/format.h>

#include <algorithm>

#include "harness/oracle/expectations.h"

namespace explore {

using scenario::Outcome;

namespace {

constexpr std::uint64_t kSmallDisk = 128ULL << 20;

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
  std::string operator()(const scenario::FileDamage&) const { return "checkpoints are lost"; }
  std::string operator()(const scenario::GpuFault&) const { return "a GPU fails"; }
  std::string operator()(const scenario::NvidiaSmiFault&) const { return "nvidia-smi fails"; }
  std::string operator()(const scenario::EnvironmentChange&) const { return "the environment changes"; }
  template <class Other>
  std::string operator()(const Other&) const {
    return {};
  }
};

}  // namespace

std::string cause_for_hold(const scenario::Scenario& scenario) {
  for (const auto& disk : scenario.pod.disks) {
    if (disk.size_bytes < kSmallDisk) return "a disk is small";
  }
  for (const auto& entry : scenario.timeline) {
    if (std::string cause = std::visit(CauseOfHold{}, entry.action); !cause.empty()) return cause;
  }
  return {};
}

// Nothing: the outcome is in order.
static std::string complaint(const scenario::Scenario& scenario, std::optional<Outcome> outcome) {
  if (outcome == Outcome::kCompleted) return {};
  if (outcome == Outcome::kHeld) {
    return cause_for_hold(scenario).empty() ? "held, though every fault was over and none is a reason to hold" : "";
  }
  return fmt::format("{}, and not completed", outcome ? name(*outcome) : "ended without an outcome");
}

// Damage that no boot came to see was nobody's to mend.
static bool is_damaged_last(const pod::WorldRecord& record) {
  return std::ranges::any_of(record.events, [&](const pod::Event& event) {
    return event.kind == pod::EventKind::kFault && event.text.starts_with("damage to .git") && !record.boots.empty() &&
           event.at > record.boots.back().start;
  });
}

// What a finding says, and is no failure because of what was drawn. The oracle counts checkpoints that were written; it
// does not know of those that somebody spoilt afterwards.
static bool excused(const scenario::Scenario& scenario, const pod::WorldRecord& record,
                    const oracle::Finding& finding) {
  // Damage that could not be mended, for a reason to hold, is what the hold is about.
  const bool holds = record.outcome == Outcome::kHeld && !cause_for_hold(scenario).empty();
  if (finding.subject == "checkout-sound") return holds || is_damaged_last(record);
  if (finding.subject != "training-resumes") return false;
  return std::ranges::any_of(scenario.timeline, [](const scenario::TimelineEntry& entry) {
    return std::holds_alternative<scenario::FileDamage>(entry.action);
  });
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
  if (const std::string text = complaint(scenario, outcome); !text.empty() && !named) fail("outcome", text);
  std::ranges::sort(judged.failures);
  if (judged.reason.empty()) {
    judged.reason = fmt::format("{}, {} boots", outcome ? name(*outcome) : "ended", result.record.boots.size());
  }
  return judged;
}

}  // namespace explore
