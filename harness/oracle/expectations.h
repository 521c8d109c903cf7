// What a scenario expects, held against what happened.
#pragma once

#include <vector>

#include "harness/oracle/result.h"

namespace oracle {

// One finding for each expectation that the scenario states: outcome, boots, attempts, spacing, resumption, log lines.
std::vector<Finding> check_expectations(const scenario::Scenario& scenario, const pod::WorldRecord& record,
                                        const std::vector<Verdict>& verdicts);

// One finding for each verdict: did the oracle end as the scenario expects?
std::vector<Finding> check_verdicts(const scenario::Scenario& scenario, const std::vector<Verdict>& verdicts);

// How the world ended, loops included.
std::optional<scenario::Outcome> actual_outcome(const pod::WorldRecord& record, const std::vector<Verdict>& verdicts);

}  // namespace oracle
