// The keeper is a fork of the launcher, so plain values travel as their bytes; texts travel as JSON.
#include <cstring>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "launcher/boot/keeper/keeper.h"

namespace boot {

using nlohmann::json;

static_assert(std::is_trivially_copyable_v<policy::History>);
static_assert(std::is_trivially_copyable_v<ledger::Step>);

static std::string dump(const json& document) {
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

template <class T>
static std::vector<unsigned char> bytes_of(const T& value) {
  std::vector<unsigned char> bytes(sizeof value);
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

template <class T>
static bool from_bytes(const json& document, T& value) {
  const auto bytes = document.get<std::vector<unsigned char>>();
  if (bytes.size() != sizeof value) return false;
  std::memcpy(static_cast<void*>(&value), bytes.data(), sizeof value);
  return true;
}

std::string opening_to_json(const Opening& opening) {
  const ledger::Memory& memory = opening.memory;
  json document{{"result", static_cast<int>(opening.result)},
                {"notes", opening.notes},
                {"lease",
                 {{"epoch", opening.lease.epoch},
                  {"beat", opening.lease.beat},
                  {"pod", opening.lease.holder.pod},
                  {"host", opening.lease.holder.host},
                  {"boot", opening.lease.holder.boot},
                  {"since", opening.lease.holder.since_wall_clock},
                  {"lifetime", opening.lease.terms.lifetime.count()},
                  {"grace", opening.lease.terms.grace.count()}}},
                {"history", bytes_of(memory.history)},
                {"boots", memory.boots},
                {"attempts", memory.attempts},
                {"best_checkpoint", memory.best_checkpoint},
                {"checkpoint_commit", memory.checkpoint_commit},
                {"last_failure", memory.last_failure},
                {"wall", memory.newest_wall_milliseconds},
                {"up", memory.up_milliseconds},
                {"published", memory.published},
                {"told_done", memory.told_done},
                {"last_pod", memory.last_pod},
                {"last_host", memory.last_host},
                {"gpu_faults", memory.gpu_faults},
                {"error",
                 {{"code", static_cast<int>(opening.error.code)},
                  {"operation", opening.error.operation},
                  {"path", opening.error.path},
                  {"errno", opening.error.system_errno},
                  {"detail", opening.error.detail},
                  {"remedy", opening.error.remedy}}}};
  if (memory.best_step) document["best_step"] = *memory.best_step;
  return dump(document);
}

Opening opening_from_json(std::string_view text) {
  Opening opening;
  const json document = json::parse(text, nullptr, false);
  if (!document.is_object() || !from_bytes(document["history"], opening.memory.history)) {
    opening.error.detail = "the keeper's answer could not be read";
    return opening;
  }
  opening.result = static_cast<Opening::Result>(document["result"].get<int>());
  opening.notes = document["notes"].get<std::vector<std::string>>();
  const json& lease = document["lease"];
  opening.lease.epoch = lease["epoch"].get<std::uint64_t>();
  opening.lease.beat = lease["beat"].get<std::uint64_t>();
  opening.lease.holder = {lease["pod"].get<std::string>(), lease["host"].get<std::string>(),
                          lease["boot"].get<std::string>(), lease["since"].get<std::int64_t>()};
  opening.lease.terms = {base::Seconds(lease["lifetime"].get<std::int64_t>()),
                         base::Seconds(lease["grace"].get<std::int64_t>())};
  ledger::Memory& memory = opening.memory;
  memory.boots = document["boots"].get<std::uint64_t>();
  memory.attempts = document["attempts"].get<std::uint64_t>();
  memory.best_checkpoint = document["best_checkpoint"].get<std::string>();
  memory.checkpoint_commit = document["checkpoint_commit"].get<std::string>();
  memory.last_failure = document["last_failure"].get<std::string>();
  memory.up_milliseconds = document["up"].get<std::int64_t>();
  memory.published = document["published"].get<bool>();
  memory.told_done = document["told_done"].get<bool>();
  memory.newest_wall_milliseconds = document["wall"].get<std::int64_t>();
  memory.last_pod = document["last_pod"].get<std::string>();
  memory.gpu_faults = document["gpu_faults"].get<std::map<std::string, unsigned>>();
  memory.last_host = document["last_host"].get<std::string>();
  if (document.contains("best_step")) memory.best_step = document["best_step"].get<std::int64_t>();
  const json& error = document["error"];
  opening.error = base::Error{.code = static_cast<base::ErrorCode>(error["code"].get<int>()),
                              .operation = error["operation"].get<std::string>(),
                              .path = error["path"].get<std::string>(),
                              .system_errno = error["errno"].get<int>(),
                              .detail = error["detail"].get<std::string>(),
                              .remedy = error["remedy"].get<std::string>()};
  return opening;
}

std::string record_to_bytes(const ledger::Record& record) {
  const ledger::Facts& facts = record.facts;
  json document{{"wall", record.wall_milliseconds},
                {"kind", record.kind},
                {"pod", facts.pod},
                {"host", facts.host},
                {"phase", facts.phase},
                {"text", facts.text},
                {"commit", facts.commit},
                {"checkpoint", facts.checkpoint},
                {"status", facts.status}};
  if (facts.step) document["at_step"] = *facts.step;
  if (record.step) document["step"] = bytes_of(*record.step);
  return dump(document);
}

std::optional<ledger::Record> record_from_bytes(std::string_view bytes) {
  const json document = json::parse(bytes, nullptr, false);
  if (!document.is_object()) return std::nullopt;
  ledger::Record record;
  record.wall_milliseconds = document["wall"].get<std::int64_t>();
  record.kind = document["kind"].get<std::string>();
  record.facts = ledger::Facts{.pod = document["pod"].get<std::string>(),
                               .host = document["host"].get<std::string>(),
                               .phase = document["phase"].get<std::string>(),
                               .text = document["text"].get<std::string>(),
                               .commit = document["commit"].get<std::string>(),
                               .checkpoint = document["checkpoint"].get<std::string>(),
                               .status = document["status"].get<std::string>(),
                               .step = std::nullopt};
  if (document.contains("at_step")) record.facts.step = document["at_step"].get<std::int64_t>();
  if (document.contains("step")) {
    ledger::Step step{policy::AttemptBegan{}, policy::Run{}};
    if (!from_bytes(document["step"], step)) return std::nullopt;
    record.step = step;
  }
  return record;
}

}  // namespace boot
