// Somebody's web hook at http://hook.simrun/, which says yes to everything; in worlds whose start command names it.
#pragma once

#include "base/result.h"
#include "harness/explore/workers.h"
#include "harness/pod/world/world.h"
#include "harness/scenario/scenario.h"

namespace explore {

void name_web_hook(pod::Materials& materials, const scenario::Scenario& scenario);
base::Result<void> place_web_hook(pod::Materials& materials, const scenario::Scenario& scenario,
                                  const Settings& settings);

}  // namespace explore
