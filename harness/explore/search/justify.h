// Which ends of a drawn world are no failure. A hold needs a cause among what was drawn, and so does everything else
// but a finished training. docs/exploring.md has the same list in words.
#pragma once

#include <string>
#include <vector>

#include "harness/oracle/result.h"
#include "harness/scenario/scenario.h"

namespace explore {

// Why the scenario may end held; empty: nothing in it is a reason.
std::string cause_for_hold(const scenario::Scenario& scenario);

// Whether everything that is a cause to hold is over in the end, and somebody says resume after each hold and once
// more: then a hold is no end.
bool ends_well(const scenario::Scenario& scenario);

// How the scenario ends where nothing goes wrong: completed, or stopped where that was asked for.
scenario::Outcome wanted_outcome(const scenario::Scenario& scenario);

enum class Standing {
  kGood,
  kFailed,
  kUnknown,   // the simulator could not tell
  kKnownBad,  // failed, as everybody knows
};

struct Judged {
  Standing standing = Standing::kGood;
  std::vector<std::string> failures;  // subjects of what failed, sorted: the same failure has the same
  std::string reason;                 // one line for people
};

// Every oracle of the result, and the outcome against what was drawn. An entry of the timeline that never came to pass
// is no gap here: nobody chose it.
Judged judge_drawn(const scenario::Scenario& scenario, const oracle::ScenarioResult& result);

}  // namespace explore
