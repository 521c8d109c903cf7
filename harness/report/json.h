// Results as JSON: for programs, and for workers that hand their results to the process that started them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "harness/oracle/result.h"

namespace report {

// Everything that a report shows. What only the oracles need stays behind, because it is large: the boots' traces, the
// contents of the user's work, and the reference weights. Times are in nanoseconds of virtual time. Bytes that are no
// UTF-8 are replaced.
std::string to_json(const oracle::ScenarioResult& result);

// The whole of a run: {"results": […]}, for people's tools.
std::string to_json(const std::vector<oracle::ScenarioResult>& results);

// The inverse of the first. kDamaged when the text is no such result.
base::Result<oracle::ScenarioResult> from_json(std::string_view text);

}  // namespace report
