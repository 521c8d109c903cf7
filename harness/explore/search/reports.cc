#include "harness/explore/search/reports.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "harness/report/json.h"
#include "harness/report/junit.h"

namespace explore {

using Json = nlohmann::ordered_json;

std::string search_json(const Search& search) {
  Json worlds = Json::array();
  for (const World& world : search.worlds) {
    worlds.push_back({{"number", world.number},
                      {"standing", static_cast<int>(world.judged.standing)},
                      {"reason", world.judged.reason},
                      {"failures", world.judged.failures},
                      {"options", world.drawn.options},
                      {"saved", world.saved},
                      {"digest", world.digest}});
  }
  const Json report{{"search",
                     {{"seed", search.seed},
                      {"planned", search.planned},
                      {"cut-short", search.cut_short},
                      {"trace", digest_of(search)},
                      {"worlds", worlds}}}};
  return report.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

static base::Error no_merge(const std::string& path, const std::string& detail) {
  return base::Error{.code = base::ErrorCode::kInvalidInput,
                     .operation = "join the reports",
                     .path = path,
                     .system_errno = 0,
                     .detail = detail,
                     .remedy = "Give each shard's report once, all of one run"};
}

static int worst(int left, int right) {
  // A setup error is worse news than a failure, and a failure than a doubt.
  static constexpr int kWeights[] = {0, 2, 1, 3};
  return kWeights[left] >= kWeights[right] ? left : right;
}

static base::Result<Merged> merge_results(const std::vector<std::pair<std::string, Json>>& reports) {
  std::vector<oracle::ScenarioResult> results;
  std::set<std::pair<std::string, std::string>> seen;
  Json all = Json::array();
  for (const auto& [path, report] : reports) {
    if (!report.contains("results")) return base::fail(no_merge(path, "it is no report of scenarios, as others are"));
    for (const Json& one : report.at("results")) {
      auto result = report::from_json(one.dump());
      if (!result) return base::fail(result.error());
      if (!seen.emplace(result->file, result->variant).second) {
        return base::fail(no_merge(path, fmt::format("{} {} is in two reports", result->file, result->variant)));
      }
      results.push_back(std::move(*result));
      all.push_back(one);
    }
  }
  Merged merged;
  merged.json = Json{{"results", all}}.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  merged.junit = report::to_junit(results);
  for (const auto& result : results) merged.exit_status = worst(merged.exit_status, exit_status(result.judgement));
  const auto passed = std::ranges::count(results, oracle::Judgement::kPass, &oracle::ScenarioResult::judgement);
  merged.summary = fmt::format("{} reports, {} scenarios, {} passed\n", reports.size(), results.size(), passed);
  return merged;
}

static base::Result<Merged> merge_searches(const std::vector<std::pair<std::string, Json>>& reports) {
  Json whole = reports.front().second.at("search");
  std::vector<Json> worlds;
  bool cut_short = false;
  for (const auto& [path, report] : reports) {
    if (!report.contains("search")) return base::fail(no_merge(path, "it is no report of a search, as others are"));
    const Json& search = report.at("search");
    if (search.at("seed") != whole.at("seed") || search.at("planned") != whole.at("planned")) {
      return base::fail(no_merge(path, "it has another seed or another number of worlds than the first"));
    }
    cut_short = cut_short || search.at("cut-short").get<bool>();
    worlds.insert(worlds.end(), search.at("worlds").begin(), search.at("worlds").end());
  }
  std::ranges::stable_sort(worlds, {}, [](const Json& world) { return world.at("number").get<int>(); });
  Merged merged;
  std::vector<std::pair<int, std::string>> digests;
  for (const Json& world : worlds) {
    const int number = world.at("number");
    if (!digests.empty() && digests.back().first == number) {
      return base::fail(no_merge({}, fmt::format("world {} is in two reports", number)));
    }
    digests.emplace_back(number, world.at("digest"));
    const auto standing = static_cast<Standing>(world.at("standing").get<int>());
    if (standing == Standing::kFailed) merged.exit_status = worst(merged.exit_status, 1);
    if (standing == Standing::kUnknown) merged.exit_status = worst(merged.exit_status, 2);
  }
  // What is missing was not looked at.
  const int planned = whole.at("planned");
  if (cut_short || static_cast<int>(worlds.size()) != planned) merged.exit_status = worst(merged.exit_status, 2);
  whole["cut-short"] = cut_short;
  whole["trace"] = digest_of(digests);
  whole["worlds"] = worlds;
  merged.json = Json{{"search", whole}}.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  merged.summary = fmt::format("{} reports, {} worlds of {}, seed {}, trace {}\n", reports.size(), worlds.size(),
                               planned, whole.at("seed").get<std::uint64_t>(), digest_of(digests).substr(0, 16));
  return merged;
}

base::Result<Merged> merge_reports(const NamedReports& reports) {
  std::vector<std::pair<std::string, Json>> read;
  for (const auto& [path, text] : reports) {
    Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!json.is_object()) return base::fail(no_merge(path, "it is no JSON report"));
    read.emplace_back(path, std::move(json));
  }
  try {
    return read.front().second.contains("search") ? merge_searches(read) : merge_results(read);
  } catch (const Json::exception& problem) {
    return base::fail(no_merge({}, fmt::format("a report is not as it should be: {}", problem.what())));
  }
}

}  // namespace explore
