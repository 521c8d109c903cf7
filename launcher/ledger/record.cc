#include "launcher/ledger/record.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

namespace policy {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(BootBegan, configuration, hardware, progress_found, older_checkpoint)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(TimePassed, seconds)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(CommitSeen, commit)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Retry, earliest_seconds, latest_seconds)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(TryOlderCheckpoint, earliest_seconds, latest_seconds)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Run, released)

}  // namespace policy

namespace ledger {

namespace {

using nlohmann::json;

constexpr std::string_view head = R"({"crc":")";
constexpr std::string_view middle = R"(","record":)";
constexpr std::size_t crc_digits = 8;
constexpr std::size_t body_start = head.size() + crc_digits + middle.size();

constexpr std::array<std::uint32_t, 256> crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0xedb88320U : 0U);
    table[i] = value;
  }
  return table;
}

// CRC-32 as in zip and PNG.
std::uint32_t crc32(std::string_view bytes) {
  static constexpr auto table = crc_table();
  std::uint32_t crc = 0xffffffffU;
  for (const char byte : bytes) crc = table[(crc ^ static_cast<unsigned char>(byte)) & 0xff] ^ (crc >> 8);
  return ~crc;
}

std::string framed(const json& body) {
  const std::string text = body.dump(-1, ' ', false, json::error_handler_t::replace);
  return fmt::format("{}{:08x}{}{}}}\n", head, crc32(text), middle, text);
}

// --- Names to values -----------------------------------------------------------------------------------------------

// The enumerator whose name this is. `last` is the enum's last one.
template <class Enum>
std::optional<Enum> enumerator(const json& body, const char* key, Enum last) {
  const std::string wanted = body.value(key, "");
  for (int i = 0; i <= static_cast<int>(last); ++i) {
    if (policy::name(static_cast<Enum>(i)) == wanted) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

std::optional<policy::HoldReason> reason_of(const json& body) {
  return enumerator(body, "reason", policy::HoldReason::kStopFailed);
}

// --- Observations --------------------------------------------------------------------------------------------------

struct WriteObservation {
  json& body;
  template <class T>
  void operator()(const T& observation) const {
    if constexpr (!std::is_empty_v<T>) body.update(json(observation));
  }
  void operator()(const policy::PhaseFailed& failed) const {
    body["phase"] = policy::name(failed.phase);
    body["cause"] = policy::name(failed.cause);
    body["fingerprint"] = failed.fingerprint;
  }
  void operator()(const policy::Blocked& blocked) const { body["obstacle"] = policy::name(blocked.obstacle); }
  void operator()(const policy::AttemptEnded& end) const {
    body["cause"] = policy::name(end.cause);
    body["fingerprint"] = end.fingerprint;
    body["older_checkpoint"] = end.older_checkpoint;
    if (end.seconds != 0) body["seconds"] = end.seconds;
  }
  void operator()(const policy::LedgerFailed& failed) const { body["trouble"] = policy::name(failed.trouble); }
  void operator()(const policy::ConclusionFailed& failed) const {
    body["conclusion"] = policy::name(failed.conclusion);
  }
};

bool read_into(policy::PhaseFailed& failed, const json& body) {
  const auto phase = enumerator(body, "phase", policy::Phase::kCheckpoints);
  const auto cause = enumerator(body, "cause", policy::Cause::kUnknown);
  if (!phase || !cause) return false;
  failed = {*phase, *cause, body.value("fingerprint", std::uint64_t{0})};
  return true;
}

bool read_into(policy::AttemptEnded& end, const json& body) {
  const auto cause = enumerator(body, "cause", policy::Cause::kUnknown);
  if (!cause) return false;
  end = {*cause, body.value("fingerprint", std::uint64_t{0}), body.value("older_checkpoint", false),
         body.value("seconds", std::uint64_t{0})};
  return true;
}

bool read_into(policy::Blocked& blocked, const json& body) {
  const auto obstacle = enumerator(body, "obstacle", policy::Obstacle::kStopUnsafe);
  if (obstacle) blocked.obstacle = *obstacle;
  return obstacle.has_value();
}

bool read_into(policy::LedgerFailed& failed, const json& body) {
  const auto trouble = enumerator(body, "trouble", policy::LedgerTrouble::kHung);
  if (trouble) failed.trouble = *trouble;
  return trouble.has_value();
}

bool read_into(policy::ConclusionFailed& failed, const json& body) {
  const auto conclusion = enumerator(body, "conclusion", policy::Conclusion::kStop);
  if (conclusion) failed.conclusion = *conclusion;
  return conclusion.has_value();
}

bool read_into(policy::Hold& hold, const json& body) {
  const auto reason = reason_of(body);
  if (reason) hold = policy::hold_for(*reason);
  return reason.has_value();
}

bool read_into(policy::Exit& exit, const json& body) {
  policy::Hold hold;
  if (!read_into(hold, body)) return false;
  exit = {hold.reason, policy::exit_code(hold.reason), hold.cause, hold.remedy};
  return true;
}

template <class T>
bool read_into(T& alternative, const json& body) {
  if constexpr (!std::is_empty_v<T>) alternative = body.get<T>();
  return true;
}

// Tries the alternatives of a variant in turn: the one of this name is filled from `body`.
template <class Variant, std::size_t index = 0>
std::optional<Variant> alternative_named(std::string_view wanted, const json& body) {
  if constexpr (index == std::variant_size_v<Variant>) {
    return std::nullopt;
  } else {
    std::variant_alternative_t<index, Variant> alternative{};
    if (policy::name(Variant{alternative}) != wanted) return alternative_named<Variant, index + 1>(wanted, body);
    if (!read_into(alternative, body)) return std::nullopt;
    return std::optional<Variant>(std::in_place, alternative);
  }
}

// --- Decisions -----------------------------------------------------------------------------------------------------

struct WriteDecision {
  json& body;
  template <class T>
  void operator()(const T& decision) const {
    if constexpr (!std::is_empty_v<T>) body.update(json(decision));
  }
  void operator()(const policy::Hold& hold) const { body["reason"] = policy::name(hold.reason); }
  void operator()(const policy::Exit& exit) const { body["reason"] = policy::name(exit.reason); }
};

// --- Facts and memory ----------------------------------------------------------------------------------------------

json facts_to_json(const Facts& facts) {
  json body = json::object();
  const auto put = [&body](const char* key, const std::string& text) {
    if (!text.empty()) body[key] = text;
  };
  put("pod", facts.pod);
  put("host", facts.host);
  put("phase", facts.phase);
  put("text", facts.text);
  put("commit", facts.commit);
  put("checkpoint", facts.checkpoint);
  put("status", facts.status);
  if (facts.step) body["step"] = *facts.step;
  return body;
}

Facts facts_from_json(const json& body) {
  Facts facts;
  facts.pod = body.value("pod", "");
  facts.host = body.value("host", "");
  facts.phase = body.value("phase", "");
  facts.text = body.value("text", "");
  facts.commit = body.value("commit", "");
  facts.checkpoint = body.value("checkpoint", "");
  facts.status = body.value("status", "");
  if (body.contains("step")) facts.step = body["step"].get<std::int64_t>();
  return facts;
}

json history_to_json(const policy::History& history) {
  json body = {{"same_failures", history.same_failures},
               {"failures", history.failures},
               {"transients", history.transients},
               {"preemptions", history.preemptions},
               {"unclean_ends", history.unclean_ends},
               {"older_checkpoint_tried", history.older_checkpoint_tried},
               {"fingerprint", history.fingerprint},
               {"failure_hardware", history.failure_hardware},
               {"failed_on_other_hardware", history.failed_on_other_hardware},
               {"finished", history.finished},
               {"conclusion_failures", history.conclusion_failures},
               {"boot_open", history.boot_open},
               {"attempt_open", history.attempt_open},
               {"told_to_end", history.told_to_end},
               {"progressed", history.progressed},
               {"attempt_seconds", history.attempt_seconds},
               {"configuration", history.configuration},
               {"commit", history.commit},
               {"hardware", history.hardware},
               {"attempts_used", history.attempts_used},
               {"seconds_used", history.seconds_used},
               {"seconds_paid", history.seconds_paid}};
  if (history.hold) {
    body["hold"] = {{"reason", policy::name(history.hold->reason)},
                    {"configuration", history.hold->configuration},
                    {"commit", history.hold->commit},
                    {"hardware", history.hold->hardware}};
  }
  return body;
}

policy::History history_from_json(const json& body) {
  policy::History history;
  const auto get = [&body](const char* key, auto& field) { field = body.value(key, field); };
  get("same_failures", history.same_failures);
  get("failures", history.failures);
  get("transients", history.transients);
  get("preemptions", history.preemptions);
  get("unclean_ends", history.unclean_ends);
  get("older_checkpoint_tried", history.older_checkpoint_tried);
  get("fingerprint", history.fingerprint);
  get("failure_hardware", history.failure_hardware);
  get("failed_on_other_hardware", history.failed_on_other_hardware);
  get("finished", history.finished);
  get("conclusion_failures", history.conclusion_failures);
  get("boot_open", history.boot_open);
  get("attempt_open", history.attempt_open);
  get("told_to_end", history.told_to_end);
  get("progressed", history.progressed);
  get("attempt_seconds", history.attempt_seconds);
  get("configuration", history.configuration);
  get("commit", history.commit);
  get("hardware", history.hardware);
  get("attempts_used", history.attempts_used);
  get("seconds_used", history.seconds_used);
  get("seconds_paid", history.seconds_paid);
  if (body.contains("hold")) {
    const json& hold = body["hold"];
    // A reason of a newer version still holds; it is only told less exactly.
    history.hold = policy::HoldRecord{reason_of(hold).value_or(policy::HoldReason::kNoProgress),
                                      hold.value("configuration", std::uint64_t{0}),
                                      hold.value("commit", std::uint64_t{0}), hold.value("hardware", std::uint64_t{0})};
  }
  return history;
}

json memory_to_json(const Memory& memory) {
  json body = {{"history", history_to_json(memory.history)},
               {"boots", memory.boots},
               {"attempts", memory.attempts},
               {"best_checkpoint", memory.best_checkpoint},
               {"checkpoint_commit", memory.checkpoint_commit},
               {"last_failure", memory.last_failure},
               {"newest_wall_milliseconds", memory.newest_wall_milliseconds},
               {"up_milliseconds", memory.up_milliseconds},
               {"published", memory.published},
               {"told_done", memory.told_done},
               {"last_pod", memory.last_pod},
               {"last_host", memory.last_host}};
  if (memory.best_step) body["best_step"] = *memory.best_step;
  if (!memory.gpu_faults.empty()) body["gpu_faults"] = memory.gpu_faults;
  return body;
}

Memory memory_from_json(const json& body) {
  Memory memory;
  memory.history = history_from_json(body.at("history"));
  memory.boots = body.value("boots", memory.boots);
  memory.attempts = body.value("attempts", memory.attempts);
  if (body.contains("best_step")) memory.best_step = body["best_step"].get<std::int64_t>();
  memory.best_checkpoint = body.value("best_checkpoint", "");
  memory.checkpoint_commit = body.value("checkpoint_commit", "");
  memory.last_failure = body.value("last_failure", "");
  memory.up_milliseconds = body.value("up_milliseconds", std::int64_t{0});
  memory.published = body.value("published", false);
  memory.told_done = body.value("told_done", false);
  memory.newest_wall_milliseconds = body.value("newest_wall_milliseconds", std::int64_t{0});
  memory.last_pod = body.value("last_pod", "");
  memory.last_host = body.value("last_host", "");
  memory.gpu_faults = body.value("gpu_faults", std::map<std::string, unsigned>());
  return memory;
}

// --- Lines ---------------------------------------------------------------------------------------------------------

bool is_note_kind(std::string_view kind) {
  constexpr std::array<std::string_view, 5> kinds = {"phase", "checkpoint", "attempt-stopped", "gpu-fault", "note"};
  return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}

Line from_body(const json& body) {
  Line line;
  line.number = body.at("n").get<std::uint64_t>();
  if (body.at("v").get<int>() > format_version) {
    line.kind = Line::Kind::kNewer;
    return line;
  }
  const auto kind = body.at("kind").get<std::string>();
  if (kind == "summary") {
    line.kind = Line::Kind::kSummary;
    line.memory = memory_from_json(body.at("memory"));
    return line;
  }
  line.kind = Line::Kind::kUnknown;
  line.record = {line.number, body.value("wall", std::int64_t{0}), kind, std::nullopt, facts_from_json(body["facts"])};
  if (!is_note_kind(kind)) {
    auto observation = alternative_named<policy::Observation>(kind, body);
    auto decision = alternative_named<policy::Decision>(body.value("decision", ""), body);
    if (!observation || !decision) return line;
    line.record.step = Step{*observation, *decision};
  }
  line.kind = Line::Kind::kRecord;
  return line;
}

}  // namespace

std::string to_line(const Record& record) {
  json body = {{"v", format_version}, {"n", record.number}, {"wall", record.wall_milliseconds}, {"kind", record.kind}};
  if (record.step) {
    body["kind"] = policy::name(record.step->observation);
    body["decision"] = policy::name(record.step->decision);
    std::visit(WriteObservation{body}, record.step->observation);
    std::visit(WriteDecision{body}, record.step->decision);
  }
  body["facts"] = facts_to_json(record.facts);
  return framed(body);
}

std::string to_line(const Memory& memory, std::uint64_t newest_number) {
  return framed({{"v", format_version}, {"n", newest_number}, {"kind", "summary"}, {"memory", memory_to_json(memory)}});
}

Line parse_line(std::string_view line) {
  if (line.size() <= body_start || !line.starts_with(head) || !line.ends_with('}')) return {};
  if (line.substr(head.size() + crc_digits, middle.size()) != middle) return {};
  const std::string_view text = line.substr(body_start, line.size() - body_start - 1);
  if (line.substr(head.size(), crc_digits) != fmt::format("{:08x}", crc32(text))) return {};
  // The CRC vouches for the bytes, not for who wrote them.
  try {
    json body = json::parse(text);
    return from_body(body);
  } catch (const json::exception&) {
    return {};
  }
}

bool begins_like_a_line(std::string_view bytes) {
  return bytes.substr(0, head.size()) == head.substr(0, bytes.size());
}

}  // namespace ledger
