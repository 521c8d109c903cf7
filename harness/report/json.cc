#include "harness/report/json.h"

#include <array>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

#include "harness/report/text.h"

// Enumerations are written as words, so that a reader needs no table. Each has one list of its values; the word comes
// from the enumeration's own name() where it has one.

namespace report {

using nlohmann::json;
using oracle::ScenarioResult;

namespace {

template <class Enum>
using Words = std::vector<std::pair<Enum, std::string>>;

const Words<pod::EventKind>& event_kinds() {
  static const Words<pod::EventKind> words = {
      {pod::EventKind::kBoot, "boot"},
      {pod::EventKind::kBootEnd, "boot-end"},
      {pod::EventKind::kPhase, "phase"},
      {pod::EventKind::kAttempt, "attempt"},
      {pod::EventKind::kCheckpoint, "checkpoint"},
      {pod::EventKind::kFinished, "finished"},
      {pod::EventKind::kTrainerEnd, "trainer-end"},
      {pod::EventKind::kFault, "fault"},
      {pod::EventKind::kHeal, "heal"},
      {pod::EventKind::kNote, "note"},
  };
  return words;
}

const Words<pod::BootEnd>& boot_ends() {
  static const Words<pod::BootEnd> words = {
      {pod::BootEnd::kOwnExit, "own-exit"}, {pod::BootEnd::kInterrupted, "interrupted"},
      {pod::BootEnd::kKilled, "killed"},    {pod::BootEnd::kRecreated, "recreated"},
      {pod::BootEnd::kStopped, "stopped"},  {pod::BootEnd::kStillRunning, "still-running"},
  };
  return words;
}

const Words<base::WaitStatus::Kind>& status_kinds() {
  static const Words<base::WaitStatus::Kind> words = {{base::WaitStatus::Kind::kExited, "exit"},
                                                      {base::WaitStatus::Kind::kSignaled, "signal"}};
  return words;
}

template <class Enum, std::size_t Count>
Words<Enum> named(const std::array<Enum, Count>& values) {
  Words<Enum> words;
  for (const auto value : values) words.emplace_back(value, std::string(name(value)));
  return words;
}

const Words<oracle::Judgement>& judgements() {
  using oracle::Judgement;
  static const auto words =
      named(std::array{Judgement::kPass, Judgement::kFail, Judgement::kUnknown, Judgement::kSetupError});
  return words;
}

const Words<oracle::Status>& statuses() {
  using oracle::Status;
  static const auto words = named(std::array{Status::kPass, Status::kFail, Status::kUnknown, Status::kNotApplicable});
  return words;
}

const Words<scenario::Outcome>& outcomes() {
  using scenario::Outcome;
  static const auto words = named(std::array{Outcome::kCompleted, Outcome::kHeld, Outcome::kLooped, Outcome::kExited,
                                             Outcome::kRunning, Outcome::kStopped, Outcome::kTerminated});
  return words;
}

template <class Enum>
json word(Enum value, const Words<Enum>& words) {
  for (const auto& [candidate, text] : words) {
    if (candidate == value) return text;
  }
  return nullptr;
}

template <class Enum>
Enum value(const json& text, const Words<Enum>& words) {
  for (const auto& [candidate, candidate_text] : words) {
    if (text == candidate_text) return candidate;
  }
  throw std::invalid_argument("unknown word " + text.dump());
}

json nanoseconds(scenario::Duration duration) {
  return duration.count();
}
scenario::Duration duration(const json& number) {
  return scenario::Duration(number.get<std::int64_t>());
}

template <class Item, class Convert>
json list(const std::vector<Item>& items, Convert convert) {
  json array = json::array();
  for (const auto& item : items) array.push_back(convert(item));
  return array;
}

template <class Convert>
auto items(const json& array, Convert convert) {
  std::vector<decltype(convert(array))> result;
  for (const auto& item : array) result.push_back(convert(item));
  return result;
}

json event_json(const pod::Event& event) {
  return {{"at", nanoseconds(event.at)},
          {"boot", event.boot},
          {"kind", word(event.kind, event_kinds())},
          {"text", event.text},
          {"step", event.step}};
}

pod::Event event_from(const json& from) {
  pod::Event event;
  event.at = duration(from.at("at"));
  event.boot = from.at("boot");
  event.kind = value(from.at("kind"), event_kinds());
  event.text = from.at("text");
  event.step = from.at("step");
  return event;
}

json boot_json(const pod::Boot& boot) {
  return {{"number", boot.number},
          {"pod", boot.pod_id},
          {"start", nanoseconds(boot.start)},
          {"end", nanoseconds(boot.end)},
          {"ended-by", word(boot.ended_by, boot_ends())},
          {"status", {{"kind", word(boot.status.kind, status_kinds())}, {"value", boot.status.value}}},
          {"best-step-before", boot.best_step_before},
          {"best-step-after", boot.best_step_after},
          {"starts-in-a-row", boot.starts_in_a_row},
          {"started", boot.started},
          {"disturbed", boot.disturbed}};
}

pod::Boot boot_from(const json& from) {
  pod::Boot boot;
  boot.number = from.at("number");
  boot.pod_id = from.at("pod");
  boot.start = duration(from.at("start"));
  boot.end = duration(from.at("end"));
  boot.ended_by = value(from.at("ended-by"), boot_ends());
  boot.status.kind = value(from.at("status").at("kind"), status_kinds());
  boot.status.value = from.at("status").at("value");
  boot.best_step_before = from.at("best-step-before");
  boot.best_step_after = from.at("best-step-after");
  boot.starts_in_a_row = from.at("starts-in-a-row");
  boot.started = from.at("started");
  boot.disturbed = from.at("disturbed");
  return boot;
}

json attempt_json(const pod::Attempt& attempt) {
  return {{"boot", attempt.boot},           {"start", nanoseconds(attempt.start)}, {"end", nanoseconds(attempt.end)},
          {"from-step", attempt.from_step}, {"last-step", attempt.last_step},      {"finished", attempt.finished}};
}

pod::Attempt attempt_from(const json& from) {
  return {from.at("boot"),      duration(from.at("start")), duration(from.at("end")),
          from.at("from-step"), from.at("last-step"),       from.at("finished")};
}

json log_json(const pod::LogLine& line) {
  return {{"at", nanoseconds(line.at)}, {"boot", line.boot}, {"text", line.text}};
}

pod::LogLine log_from(const json& from) {
  return {duration(from.at("at")), from.at("boot"), from.at("text")};
}

json record_json(const pod::WorldRecord& record) {
  return {{"events", list(record.events, event_json)},
          {"boots", list(record.boots, boot_json)},
          {"attempts", list(record.attempts, attempt_json)},
          {"log", list(record.log, log_json)},
          {"stop-calls", record.stop_calls},
          {"malformed-requests", record.malformed_requests},
          {"billed", nanoseconds(record.billed)},
          {"not-covered", record.not_covered},
          {"outcome", record.outcome ? word(*record.outcome, outcomes()) : json(nullptr)},
          {"end", nanoseconds(record.end)},
          {"real-seconds", record.real_seconds},
          {"pending-timeline", record.pending_timeline},
          {"pending", record.pending},
          {"passed-over", record.passed_over}};
}

pod::WorldRecord record_from(const json& from) {
  pod::WorldRecord record;
  record.events = items(from.at("events"), event_from);
  record.boots = items(from.at("boots"), boot_from);
  record.attempts = items(from.at("attempts"), attempt_from);
  record.log = items(from.at("log"), log_from);
  record.stop_calls = from.at("stop-calls");
  record.malformed_requests = from.at("malformed-requests").get<std::vector<std::string>>();
  record.billed = duration(from.at("billed"));
  record.not_covered = from.at("not-covered").get<std::vector<std::string>>();
  if (!from.at("outcome").is_null()) record.outcome = value(from.at("outcome"), outcomes());
  record.end = duration(from.at("end"));
  record.real_seconds = from.at("real-seconds");
  record.pending_timeline = from.at("pending-timeline");
  record.pending = from.at("pending").get<std::vector<std::string>>();
  record.passed_over = from.at("passed-over").get<std::vector<std::string>>();
  return record;
}

json finding_json(const oracle::Finding& finding) {
  return {{"subject", finding.subject}, {"judgement", word(finding.judgement, judgements())}, {"text", finding.text}};
}

oracle::Finding finding_from(const json& from) {
  return {from.at("subject"), value(from.at("judgement"), judgements()), from.at("text")};
}

json verdict_json(const oracle::Verdict& verdict) {
  return {{"oracle", verdict.oracle},
          {"status", word(verdict.status, statuses())},
          {"reason", verdict.reason},
          {"proven", verdict.proven},
          {"assumptions", verdict.assumptions}};
}

oracle::Verdict verdict_from(const json& from) {
  return {from.at("oracle"), value(from.at("status"), statuses()), from.at("reason"), from.at("proven"),
          from.at("assumptions").get<std::vector<std::string>>()};
}

json result_json(const ScenarioResult& result) {
  return {{"name", result.name},
          {"file", result.file},
          {"variant", result.variant},
          {"story", result.story},
          {"judgement", word(result.judgement, judgements())},
          {"reason", result.reason},
          {"findings", list(result.findings, finding_json)},
          {"verdicts", list(result.verdicts, verdict_json)},
          {"record", record_json(result.record)},
          {"kept-folder", result.kept_folder},
          {"launcher-status", result.launcher_status},
          {"replay", result.replay}};
}

ScenarioResult result_from(const json& from) {
  ScenarioResult result;
  result.name = from.at("name");
  result.file = from.at("file");
  result.variant = from.at("variant");
  result.story = from.at("story");
  result.judgement = value(from.at("judgement"), judgements());
  result.reason = from.at("reason");
  result.findings = items(from.at("findings"), finding_from);
  result.verdicts = items(from.at("verdicts"), verdict_from);
  result.record = record_from(from.at("record"));
  result.kept_folder = from.at("kept-folder");
  result.launcher_status = from.at("launcher-status");
  result.replay = from.at("replay");
  return result;
}

}  // namespace

std::string to_json(const ScenarioResult& result) {
  return result_json(result).dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string to_json(const std::vector<ScenarioResult>& results) {
  const json document = {{"results", list(results, result_json)}};
  return document.dump(2, ' ', false, json::error_handler_t::replace) + '\n';
}

base::Result<ScenarioResult> from_json(std::string_view text) {
  try {
    return result_from(json::parse(text));
  } catch (const std::exception& error) {  // the library's, and value()'s
    return base::fail({base::ErrorCode::kDamaged, "read a result", "", 0, error.what(), ""});
  }
}

}  // namespace report
