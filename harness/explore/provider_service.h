// The provider's API in a world, under the name that it has outside.
#pragma once

#include "base/result.h"
#include "harness/explore/workers.h"
#include "harness/pod/world/world.h"
#include "harness/scenario/scenario.h"

namespace explore {

// The pod's own files that lead its programs there, and the authority that they trust.
base::Result<void> name_provider(pod::Materials& materials, const scenario::Scenario& scenario);

// The service and the socket that it listens on. Both do nothing where the scenario has no provider.
base::Result<void> place_provider_service(pod::Materials& materials, const scenario::Scenario& scenario,
                                          const Settings& settings);

}  // namespace explore
