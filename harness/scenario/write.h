// A scenario as YAML, such that reading it gives the same scenario: for those that were drawn or made smaller, and are
// to be played again.
#pragma once

#include <string>

#include "harness/scenario/scenario.h"

namespace scenario {

// `schema`: the path to the schema from where the file will lie; named on its first line for editors. What is as if it
// were left out is left out. The scenario is written as the one it is: not as an instance of a for-each.
std::string write(const Scenario& scenario, const std::string& schema);

// The value of `do:` in one line, such as "{network: down, for: 90s}".
std::string write_action(const Action& action);
std::string write_moment(const Moment& moment);

}  // namespace scenario
