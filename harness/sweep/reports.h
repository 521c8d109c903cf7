// Reports of sweeps, and the one report that those of several machines make together.
#pragma once

#include <string>
#include <vector>

#include "harness/explore/merged.h"
#include "harness/sweep/sweep.h"

namespace sweep {

std::string to_json(const std::vector<Swept>& all);
base::Result<std::vector<Swept>> swept_from_json(const std::string& text);

// Errors: what is no report of a sweep; a part that is in two of them. A part that is missing, or that has swept
// another play than the others, is not covered.
base::Result<explore::Merged> merge_reports(const explore::NamedReports& reports);

}  // namespace sweep
