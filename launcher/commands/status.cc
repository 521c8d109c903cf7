#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>
#include <nlohmann/json.hpp>

#include "launcher/commands/commands.h"
#include "launcher/commands/find_run.h"
#include "launcher/commands/print_line.h"
#include "launcher/config/duration.h"
#include "launcher/policy/hold_rules.h"

namespace commands {

using nlohmann::json;

static std::string dump(const json& document) {
  return document.dump(2, ' ', false, json::error_handler_t::replace);
}

static json hold_to_json(const policy::HoldRecord& hold) {
  const policy::Hold words = policy::hold_for(hold.reason);
  return json{{"reason", policy::name(hold.reason)}, {"cause", words.cause}, {"remedy", words.remedy}};
}

static json record_to_json(const ledger::Record& record) {
  json document{{"number", record.number}, {"at", record.wall_milliseconds}, {"kind", record.kind}};
  if (record.step) document["decision"] = policy::name(record.step->decision);
  const auto* hold = record.step ? std::get_if<policy::Hold>(&record.step->decision) : nullptr;
  if (hold != nullptr) document["reason"] = policy::name(hold->reason);
  const ledger::Facts& facts = record.facts;
  const std::pair<const char*, const std::string&> texts[] = {
      {"pod", facts.pod},       {"phase", facts.phase},   {"text", facts.text},
      {"commit", facts.commit}, {"status", facts.status}, {"checkpoint", facts.checkpoint}};
  for (const auto& [name, text] : texts) {
    if (!text.empty()) document[name] = text;
  }
  if (facts.step) document["step"] = *facts.step;
  return document;
}

static json to_json(const FoundRun& found, const ledger::Opened& ledger) {
  const ledger::Memory& memory = ledger.memory;
  const policy::History& history = memory.history;
  json document{{"run", found.run},
                {"folder", found.folder.string()},
                {"active", found.active},
                {"state", state_of(found, ledger)},
                {"finished", history.finished},
                {"boots", memory.boots},
                {"attempts", memory.attempts},
                {"best_checkpoint", memory.best_checkpoint},
                {"last_failure", memory.last_failure},
                {"counters",
                 {{"failures", history.failures},
                  {"same_failures", history.same_failures},
                  {"transients", history.transients},
                  {"preemptions", history.preemptions},
                  {"unclean_ends", history.unclean_ends}}},
                {"seconds_used", history.seconds_used},
                {"seconds_paid", history.seconds_paid},
                {"notes", ledger.notes},
                {"records", json::array()}};
  if (memory.best_step) document["best_step"] = *memory.best_step;
  if (history.hold) document["hold"] = hold_to_json(*history.hold);
  for (const ledger::Record& record : ledger.records) document["records"].push_back(record_to_json(record));
  return document;
}

static std::string when(std::int64_t wall_milliseconds) {
  const auto seconds = static_cast<std::time_t>(wall_milliseconds / 1000);
  return fmt::format("{:%Y-%m-%d %H:%M:%S}", fmt::gmtime(seconds));
}

static void print_table(const FoundRun& found, const ledger::Opened& ledger) {
  constexpr std::size_t kRecordsShown = 15;
  const ledger::Memory& memory = ledger.memory;
  print_line("run          {}", found.run);
  print_line("state        {}{}", state_of(found, ledger), found.active ? "" : " (no launcher is running here)");
  print_line("boots        {}", memory.boots);
  print_line("attempts     {}", memory.attempts);
  print_line("paid for     {}, of which {} of training",
             config::rough_duration(config::Seconds(memory.history.seconds_paid)),
             config::rough_duration(config::Seconds(memory.history.seconds_used)));
  if (memory.best_step) print_line("best step    {}", *memory.best_step);
  if (!memory.best_checkpoint.empty()) print_line("checkpoint   {}", memory.best_checkpoint);
  if (!memory.last_failure.empty()) print_line("last failure {}", memory.last_failure);
  if (memory.history.hold) {
    const policy::Hold words = policy::hold_for(memory.history.hold->reason);
    print_line("held         {} ({})", words.cause, policy::name(words.reason));
    print_line("what to do   {}", words.remedy);
  }
  print_line("kept in      {}", found.folder.string());
  for (const std::string& note : ledger.notes) print_line("note         {}", note);
  const std::size_t first = ledger.records.size() - std::min(ledger.records.size(), kRecordsShown);
  if (first < ledger.records.size()) print_line("");
  if (first < ledger.records.size()) print_line("{:<20} {:<18} {:<12} {}\n", "UTC", "WHAT", "DECISION", "DETAIL");
  for (std::size_t i = first; i < ledger.records.size(); ++i) {
    const ledger::Record& record = ledger.records[i];
    std::string detail = record.facts.text.empty() ? record.facts.status : record.facts.text;
    if (record.facts.step) detail = fmt::format("step {} {}", *record.facts.step, detail);
    print_line("{:<20} {:<18} {:<12} {}", when(record.wall_milliseconds), record.kind,
               record.step ? policy::name(record.step->decision) : "", detail);
  }
}

// Who asked for JSON gets JSON, also of what went wrong.
static int refuse(const base::Error& error, bool as_json) {
  if (!as_json) return complain(error);
  const json words{{"operation", error.operation},
                   {"path", error.path},
                   {"detail", error.detail},
                   {"remedy", error.remedy},
                   {"message", error.message()}};
  fmt::print("{}\n", dump(json{{"error", words}}));
  return 1;
}

int status(const config::Invocation& invocation, const config::Environment& environment) {
  const auto found = find_run(invocation.config, environment);
  if (!found) return refuse(found.error(), invocation.json);
  const auto ledger = ledger::read(found->folder / "ledger.jsonl");
  if (!ledger) return refuse(ledger.error(), invocation.json);
  if (invocation.json) {
    fmt::print("{}\n", dump(to_json(*found, *ledger)));
  } else {
    print_table(*found, *ledger);
  }
  return 0;
}

}  // namespace commands
