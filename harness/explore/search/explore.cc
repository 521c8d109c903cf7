#include "harness/explore/search/explore.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "harness/explore/search/shrink.h"
#include "harness/explore/search/trace.h"
#include "harness/scenario/write.h"

namespace explore {

using Clock = std::chrono::steady_clock;

std::string digest_of(const std::vector<std::pair<int, std::string>>& digests) {
  std::vector<std::string> lines;
  for (const auto& [number, digest] : digests) lines.push_back(fmt::format("{} {}", number, digest));
  return digest_of(lines);
}

std::string digest_of(const Search& search) {
  std::vector<std::pair<int, std::string>> digests;
  for (const World& world : search.worlds) digests.emplace_back(world.number, world.digest);
  return digest_of(digests);
}

static int worlds_for(const SearchOptions& options) {
  if (options.worlds) return *options.worlds;
  return std::max(1, static_cast<int>(options.budget / kPriceOfWorld));
}

static void judge(World& world, const oracle::ScenarioResult& result) {
  world.judged = judge_drawn(world.drawn.scenario, result);
  world.trace = trace_of(world.drawn.scenario, result);
  world.trace.push_back(
      fmt::format("standing {} {}", static_cast<int>(world.judged.standing), fmt::join(world.judged.failures, ", ")));
  world.digest = digest_of(world.trace);
  if (world.drawn.known_bad && world.judged.standing == Standing::kFailed) {
    world.judged.standing = Standing::kKnownBad;
  }
}

// What the saved scenario expects is what the failure breaks, so that a replay fails in the same way.
static std::string save(const World& world, scenario::Scenario scenario, int plays, const SearchOptions& options) {
  scenario.name = fmt::format("found by explore, seed {}, world {}", options.seed, world.number);
  scenario.story = fmt::format("{}. Made smaller in {} plays.", world.judged.reason, plays);
  scenario.expect.outcome = wanted_outcome(scenario);
  std::error_code ignored;  // the write tells
  std::filesystem::create_directories(options.save_folder, ignored);
  const auto path =
      std::filesystem::path(options.save_folder) / fmt::format("explore_{}_{}.yaml", options.seed, world.number);
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << scenario::write(scenario, "../harness/scenario/schema.json");
  file.close();
  return file ? path.string() : "";
}

static void shrink_and_save(World& world, const SearchOptions& options, const Settings& settings) {
  const auto fails = [&](const scenario::Scenario& candidate) {
    const auto results = play_all({candidate}, settings, 1, [](const auto&) {});
    const Judged judged = judge_drawn(candidate, results.front());
    return judged.standing == Standing::kFailed && judged.failures == world.judged.failures;
  };
  const Shrunk shrunk = shrink(world.drawn.scenario, fails, options.shrink_plays_max);
  world.saved = save(world, shrunk.scenario, shrunk.plays, options);
}

Search run_search(const SearchOptions& options, const Settings& given,
                  const std::function<void(const World&)>& report) {
  Settings settings = given;
  settings.keep_failures = false;  // the scenario that is saved replays them
  Search search;
  search.seed = options.seed;
  search.planned = worlds_for(options);
  std::vector<int> mine;
  for (int number = 0; number < search.planned; ++number) {
    if (options.shard.has(static_cast<std::size_t>(number))) mine.push_back(number);
  }
  // Worlds are priced so that half of them fit on a slow machine; ten times as long, and something is wrong.
  const auto hopeless = Clock::now() + std::chrono::seconds(120) + 10 * mine.size() * kPriceOfWorld;
  const auto batch = static_cast<std::size_t>(2 * std::max(1, options.workers));
  for (std::size_t begin = 0; begin < mine.size(); begin += batch) {
    if (Clock::now() > hopeless) {
      search.cut_short = true;
      break;
    }
    std::vector<World> worlds;
    std::vector<scenario::Scenario> scenarios;
    for (std::size_t i = begin; i < std::min(mine.size(), begin + batch); ++i) {
      worlds.emplace_back();
      worlds.back().number = mine[i];
      worlds.back().drawn = draw(options.seed, mine[i], options.palette);
      scenarios.push_back(worlds.back().drawn.scenario);
    }
    const auto results = play_all(scenarios, settings, options.workers, [](const auto&) {});
    for (std::size_t i = 0; i < worlds.size(); ++i) {
      judge(worlds[i], results[i]);
      if (worlds[i].judged.standing == Standing::kFailed) shrink_and_save(worlds[i], options, settings);
      report(worlds[i]);
      search.worlds.push_back(std::move(worlds[i]));
    }
  }
  return search;
}

int exit_status(const Search& search) {
  const auto any = [&](Standing standing) {
    return std::ranges::any_of(search.worlds, [&](const World& world) { return world.judged.standing == standing; });
  };
  if (any(Standing::kFailed)) return 1;
  return any(Standing::kUnknown) || search.cut_short ? 2 : 0;
}

}  // namespace explore
