#include "harness/explore/search/command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <thread>

#include "harness/explore/command_line.h"
#include "harness/explore/search/explore.h"
#include "harness/explore/search/reports.h"
#include "harness/report/text.h"
#include "harness/scenario/input_file.h"
#include "harness/scenario/parse.h"
#include "harness/scenario/quantity.h"

namespace explore {

namespace fs = std::filesystem;

static constexpr int kSetupError = 3;
static constexpr std::size_t kDigitsShown = 16;

static int complain(const std::string& message) {
  std::cerr << "simrun: " << report::sanitised(message) << "\n";
  return kSetupError;
}

// Generations of a start command that people have used, and that are known to loop or to lose work.
static std::vector<std::pair<std::string, std::string>> known_bad_commands(const Settings& settings) {
  std::vector<std::pair<std::string, std::string>> commands;
  std::error_code none;  // without the folder there are no such commands
  for (const auto& entry : fs::directory_iterator(settings.fixtures + "/start-commands", none)) {
    if (!entry.path().stem().string().starts_with("generation")) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    commands.emplace_back(entry.path().stem(), std::string{std::istreambuf_iterator<char>(file), {}});
  }
  std::ranges::sort(commands);
  return commands;
}

static void show(const World& world) {
  static constexpr const char* kMarks[] = {"ok", "FAIL", "UNKNOWN", "bad, as known"};
  std::cout << fmt::format("world {}: {}: {}  [{}]\n", world.number, kMarks[static_cast<int>(world.judged.standing)],
                           report::sanitised(world.judged.reason), world.digest.substr(0, kDigitsShown));
  for (const auto& option : world.drawn.options) std::cout << "    " << report::sanitised(option) << "\n";
  if (!world.saved.empty()) std::cout << fmt::format("  saved:   {0}\n  replay:  ./dev simrun {0}\n", world.saved);
  std::cout << std::flush;
}

static void show_end(const Search& search) {
  const auto count = [&](Standing standing) {
    return std::ranges::count_if(search.worlds, [&](const World& one) { return one.judged.standing == standing; });
  };
  std::cout << fmt::format("{} worlds of {}: {} good, {} failed, {} unknown, {} bad as known{}\n", search.worlds.size(),
                           search.planned, count(Standing::kGood), count(Standing::kFailed), count(Standing::kUnknown),
                           count(Standing::kKnownBad), search.cut_short ? "; real time ran out before the rest" : "");
  std::cout << fmt::format("seed {}, trace {}\n", search.seed, digest_of(search).substr(0, kDigitsShown));
}

static bool write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  return static_cast<bool>(file);
}

int run_explore(const std::vector<std::string>& words, const Settings& given) {
  Settings settings = given;
  CLI::App app{
      "Plays scenarios drawn at random, makes those that fail smaller and saves them. The same seed and budget play "
      "the\n"
      "same worlds on every machine, and print the same trace.",
      "simrun explore"};
  SearchOptions options;
  options.workers = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  std::string budget = "60s";
  std::string shard;
  std::string base;
  std::string json;
  std::string trace;
  app.add_option("--seed", options.seed, "what everything is drawn from (1)");
  auto* budget_option =
      app.add_option("--budget", budget, fmt::format("how much: one world for each {} s (60s)", kPriceOfWorld.count()));
  app.add_option("--worlds", options.worlds, "how many worlds, instead of a budget")
      ->check(CLI::Range(1, 1'000'000))
      ->excludes(budget_option);
  app.add_option("-j,--jobs", options.workers, "worlds side by side (default: one a processor)")
      ->check(CLI::Range(1, 256));
  app.add_option("--base", base, "a scenario whose start command and repository are taken in every world");
  add_podlaunch_option(app, settings);
  app.add_option("--save", options.save_folder, "the folder for scenarios of failures (.)");
  app.add_option("--shrink-plays", options.shrink_plays_max,
                 "how often a failure may be played to make it smaller (40)")
      ->check(CLI::Range(0, 10'000));
  app.add_option("--shard", shard, "only this part of the worlds, such as 2/4");
  app.add_option("--json", json, "write a report to this file; simrun merge joins those of shards");
  app.add_option("--trace", trace, "write what the trace is made of to this file");
  if (const auto done = parse_words(app, words)) return *done;
  if (const auto found = fixtures_are_there(settings); !found) return complain(found.error().message());

  const auto length = scenario::parse_duration(budget);
  if (!length) return complain(fmt::format("--budget {} is no length of time; write 90s or 5min", budget));
  options.budget = *length;
  auto claimed = claim_shard(shard);
  if (!claimed) return complain(claimed.error().message());
  options.shard = *claimed;
  options.palette.shell_commands = known_bad_commands(settings);
  if (!base.empty()) {
    const auto loaded = scenario::load(base);
    if (!loaded) return complain(loaded.error().message());
    options.palette.base = loaded->front();
  }
  const Search search = run_search(options, settings, show);
  show_end(search);
  if (!json.empty() && !write_file(json, search_json(search))) return complain("cannot write the report " + json);
  std::string material;
  for (const World& world : search.worlds) material += fmt::format("{}\n", fmt::join(world.trace, "\n"));
  if (!trace.empty() && !write_file(trace, material)) return complain("cannot write " + trace);
  return exit_status(search);
}

// No report of ours is nested so deeply; what is would use up the stack of whoever walks through it.
static bool is_nested_too_deeply(const std::string& json) {
  constexpr int kDepthMax = 200;
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char letter = json[i];
    if (quoted && letter == '\\') ++i;
    if (letter == '"') quoted = !quoted;
    if (!quoted && (letter == '[' || letter == '{') && ++depth > kDepthMax) return true;
    if (!quoted && (letter == ']' || letter == '}')) --depth;
  }
  return false;
}

int run_merge(const std::vector<std::string>& words, const Merger& merge_sweeps) {
  CLI::App app{"Joins the JSON reports of shards into one, and says what all of them together come to.",
               "simrun merge"};
  std::vector<std::string> paths;
  std::string json;
  std::string junit;
  app.add_option("reports", paths, "JSON reports of simrun, of simrun explore or of simrun sweep")->required();
  app.add_option("--json", json, "write the joined report to this file");
  app.add_option("--junit", junit, "write it as JUnit XML (scenarios only)");
  if (const auto done = parse_words(app, words)) return *done;
  NamedReports reports;
  for (const auto& path : paths) {
    auto text = scenario::read_input(path, "report", scenario::kReportBytesMax);
    if (!text) return complain(text.error().message());
    if (is_nested_too_deeply(*text)) return complain(path + " is no JSON report of simrun: it is nested too deeply");
    reports.emplace_back(path, std::move(*text));
  }
  const bool of_sweeps = reports.front().second.starts_with('[');
  const auto merged = of_sweeps ? merge_sweeps(reports) : merge_reports(reports);
  if (!merged) return complain(merged.error().message());
  std::cout << merged->summary;
  if (!json.empty() && !write_file(json, merged->json)) return complain("cannot write the report " + json);
  if (!junit.empty() && !write_file(junit, merged->junit)) return complain("cannot write the report " + junit);
  return merged->exit_status;
}

}  // namespace explore
