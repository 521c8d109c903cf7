#include "harness/sweep/reports.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

namespace sweep {

using nlohmann::json;

std::string to_json(const std::vector<Swept>& all) {
  json array = json::array();
  for (const auto& swept : all) {
    json one = json::parse(to_json(swept.outcome));
    one["name"] = swept.scenario;
    one["scenario"] = swept.file;
    one["variant"] = swept.variant;
    one["cases"] = swept.cases;
    array.push_back(std::move(one));
  }
  return array.dump(2) + "\n";
}

static base::Error no_report(const std::string& detail) {
  return base::Error{.code = base::ErrorCode::kInvalidInput,
                     .operation = "join the reports",
                     .path = {},
                     .system_errno = 0,
                     .detail = detail,
                     .remedy = "Give each part's report once, as `simrun sweep --json` wrote it"};
}

base::Result<std::vector<Swept>> swept_from_json(const std::string& text) {
  const json all = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!all.is_array()) return base::fail(no_report("it is no report of a sweep"));
  std::vector<Swept> result;
  try {
    for (const json& one : all) {
      auto outcome = outcome_from_json(one.dump());
      if (!outcome) return base::fail(no_report(outcome.error().detail));
      result.push_back({one.at("name"), one.at("scenario"), one.at("variant"), std::move(*outcome), one.at("cases")});
    }
  } catch (const json::exception& problem) {
    return base::fail(no_report(problem.what()));
  }
  return result;
}

template <class T>
static void add_new(std::vector<T>& to, const std::vector<T>& from) {
  for (const T& one : from) {
    if (std::ranges::count(to, one) == 0) to.push_back(one);
  }
}

static void add(Swept& whole, const Swept& part) {
  Outcome& to = whole.outcome;
  const Outcome& from = part.outcome;
  if (to.error.empty()) to.error = from.error;
  for (const auto& [name, tally] : from.tallies) {
    Tally& sum = to.tallies[name];
    sum.faults += tally.faults;
    sum.planned += tally.planned;
    sum.played += tally.played;
    sum.failed += tally.failed;
    sum.unknown += tally.unknown;
    sum.drawn += tally.drawn;
  }
  to.failures.insert(to.failures.end(), from.failures.begin(), from.failures.end());
  whole.cases.insert(whole.cases.end(), part.cases.begin(), part.cases.end());
  add_new(to.notes, from.notes);
  add_new(to.not_covered, from.not_covered);
  to.part.points += from.part.points;
  if (to.part.of != from.part.of)
    add_new(to.notes,
            {fmt::format("part {} has recorded {} points, and the first {}: how often the same is done differs",
                         from.part.index + 1, from.part.of, to.part.of)});
  to.worlds += from.worlds;
  to.played += from.played;
  to.seconds_recording = std::max(to.seconds_recording, from.seconds_recording);
  to.seconds_playing = std::max(to.seconds_playing, from.seconds_playing);  // they ran beside each other
  to.processor_seconds += from.processor_seconds;
  to.complete = to.complete && from.complete;
}

// The parts of one scenario, in the order of their numbers.
static base::Result<Swept> join(const std::map<int, Swept>& parts) {
  const Swept& first = parts.begin()->second;
  const Part& shape = first.outcome.part;
  Swept whole = first;
  whole.outcome.part = {.index = 0, .count = 1, .points = shape.points, .of = shape.of, .whole = shape.whole};
  for (int index = 0; index < shape.count; ++index) {
    const auto found = parts.find(index);
    if (found == parts.end()) {
      whole.outcome.not_covered.push_back(
          fmt::format("part {} of {}, of which there is no report", index + 1, shape.count));
      continue;
    }
    const Part& part = found->second.outcome.part;
    if (part.count != shape.count) return base::fail(no_report("they are parts of different numbers of parts"));
    if (part.whole != shape.whole)
      whole.outcome.not_covered.push_back(fmt::format(
          "what part {} of {} missed: it has swept another play than part {}, or was asked for something else",
          index + 1, shape.count, shape.index + 1));
    if (found != parts.begin()) add(whole, found->second);
  }
  const Part& sum = whole.outcome.part;
  const bool alike =
      std::ranges::all_of(parts, [&](const auto& part) { return part.second.outcome.part.of == sum.of; });
  if (alike && static_cast<int>(parts.size()) == shape.count && sum.points != sum.of)
    whole.outcome.not_covered.push_back(fmt::format("{} of {} points, which no part has", sum.of - sum.points, sum.of));
  return whole;
}

base::Result<explore::Merged> merge_reports(const explore::NamedReports& reports) {
  std::vector<std::pair<std::string, std::string>> order;
  std::map<std::pair<std::string, std::string>, std::map<int, Swept>> scenarios;
  for (const auto& [path, text] : reports) {
    const auto all = swept_from_json(text);
    if (!all) return base::fail(no_report(path + ": " + all.error().detail));
    for (const Swept& swept : *all) {
      const std::pair key{swept.file, swept.variant};
      if (!scenarios.contains(key)) order.push_back(key);
      const int index = swept.outcome.part.index;
      if (!scenarios[key].emplace(index, swept).second)
        return base::fail(no_report(fmt::format("{}: part {} of {} is in two reports", path, index + 1, swept.file)));
    }
  }
  std::vector<Swept> joined;
  explore::Merged merged;
  for (const auto& key : order) {
    auto whole = join(scenarios.at(key));
    if (!whole) return base::fail(whole.error());
    merged.summary += render(*whole, /*interrupted=*/false);
    joined.push_back(std::move(*whole));
  }
  merged.json = to_json(joined);
  merged.junit = to_junit(joined);
  merged.exit_status = exit_status(joined);
  return merged;
}

}  // namespace sweep
