// Random search: many drawn worlds, judged; failures made smaller and saved.
//
// How many worlds are played follows from the budget and a fixed price, not from how fast this machine is: two runs
// with one seed and one budget play the same worlds, wherever they run. Real time only ends a run that has become
// hopeless, and such a run is UNKNOWN.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "harness/explore/search/draw.h"
#include "harness/explore/search/justify.h"
#include "harness/explore/shard.h"
#include "harness/explore/workers.h"

namespace explore {

inline constexpr std::chrono::seconds kPriceOfWorld{6};

struct SearchOptions {
  std::uint64_t seed = 1;
  scenario::Duration budget = std::chrono::seconds(60);
  std::optional<int> worlds;  // instead of a budget
  int workers = 1;
  Shard shard;
  Palette palette;
  std::string save_folder = ".";  // for the scenarios of failures
  int shrink_plays_max = 40;      // per failure; 0: saved as drawn
};

struct World {
  int number = 0;
  Drawn drawn;
  Judged judged;
  std::string digest;
  std::vector<std::string> trace;  // what the digest was made of
  std::string saved;               // the file that replays its failure
};

struct Search {
  std::uint64_t seed = 0;
  int planned = 0;            // over all shards
  bool cut_short = false;     // the real-time stop came first
  std::vector<World> worlds;  // by number
};

// One digest over all worlds, in the order of their numbers.
std::string digest_of(const std::vector<std::pair<int, std::string>>& digests);
std::string digest_of(const Search& search);

// `report` is told of each world once nothing about it will change any more.
Search run_search(const SearchOptions& options, const Settings& settings,
                  const std::function<void(const World&)>& report);

// 0, 1 where a world failed, 2 where one could not be told.
int exit_status(const Search& search);

}  // namespace explore
