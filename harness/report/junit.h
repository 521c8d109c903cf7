// JUnit XML for continuous integration: one testcase a scenario.
#pragma once

#include <string>
#include <vector>

#include "harness/oracle/result.h"

namespace report {

// FAIL becomes a failure; UNKNOWN and SETUP ERROR become errors, because neither may count as green.
std::string to_junit(const std::vector<oracle::ScenarioResult>& results);

}  // namespace report
