#pragma once

#include <string>

#include "base/result.h"
#include "harness/scenario/scenario.h"

namespace explore {

// The final weights of the scenario's training when nothing interrupts it: the same trainer, run natively and without
// its pauses. `folder` is created for it. Errors: the trainer failed or did not end within a minute.
base::Result<std::string> train_without_interruption(const scenario::Scenario& scenario, const std::string& fixtures,
                                                     const std::string& folder);

}  // namespace explore
