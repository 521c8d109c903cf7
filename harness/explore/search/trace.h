// The digest by which two plays of one world are compared. It holds what was decided and what came of it, and leaves
// out what two honest plays may differ in: times (every look at the clock costs a little, and long computation costs
// what the machine makes of it), process numbers, names drawn at random, and the order in which processes that run side
// by side got to say something.
#pragma once

#include <string>
#include <vector>

#include "harness/oracle/result.h"
#include "harness/scenario/scenario.h"

namespace explore {

// What is hashed, a line each: the scenario; each boot, how it ended and how far it had got; each attempt, from where
// to where; for each boot the set of things that the command said about its phases; the outcome and every verdict.
std::vector<std::string> trace_of(const scenario::Scenario& scenario, const oracle::ScenarioResult& result);

// SHA-256 in hexadecimal, of which the first 16 digits are enough for people.
std::string digest_of(const std::vector<std::string>& lines);

}  // namespace explore
