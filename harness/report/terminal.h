// What a person sees: a timeline of the boots, what was found, and how to see it again. At most 100 columns.
#pragma once

#include <string>
#include <vector>

#include "harness/oracle/result.h"

namespace report {

// One scenario in full.
std::string render(const oracle::ScenarioResult& result, bool colour);

// The line for one scenario in a list, to be printed as soon as it has ended.
std::string render_line(const oracle::ScenarioResult& result, bool colour);

// The closing line: how many scenarios ended how.
std::string render_count(const std::vector<oracle::ScenarioResult>& results, bool colour);

// `no_colour` is the value of NO_COLOR, or null: any text but the empty one refuses colours (https://no-color.org).
bool colour_wanted(bool is_terminal, const char* no_colour);

}  // namespace report
