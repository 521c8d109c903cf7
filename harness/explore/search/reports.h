// Reports of parts, and the one report that they make together.
#pragma once

#include <string>

#include "harness/explore/merged.h"
#include "harness/explore/search/explore.h"

namespace explore {

std::string search_json(const Search& search);

// All of one kind: of scenarios ({"results": …}) or of one search ({"search": …}). Errors: kInvalidInput for anything
// else, for a piece that is in two of them, and for worlds of different seeds.
base::Result<Merged> merge_reports(const NamedReports& reports);

}  // namespace explore
