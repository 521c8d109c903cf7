// Reports of parts, and the one report that they make together.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "harness/explore/search/explore.h"

namespace explore {

std::string search_json(const Search& search);

struct Merged {
  std::string json;
  std::string junit;    // empty for searches
  std::string summary;  // for people
  int exit_status = 0;
};

// `reports`: name and content of each. All of one kind: of scenarios ({"results": …}) or of one search ({"search": …}).
// Errors: kInvalidInput for anything else, for a piece that is in two of them, and for worlds of different seeds.
base::Result<Merged> merge_reports(const std::vector<std::pair<std::string, std::string>>& reports);

}  // namespace explore
