// What a scenario's world is made of, gathered in its folder.
#pragma once

#include <string>

#include "base/result.h"
#include "harness/explore/workers.h"
#include "harness/pod/world/world.h"
#include "harness/scenario/scenario.h"

namespace explore {

// Creates the upstream repository, the listening sockets and the rest below `folder`, in the world's namespaces.
base::Result<pod::Materials> gather(const scenario::Scenario& scenario, const Settings& settings,
                                    const std::string& folder);

// The part of it that belongs to one network namespace and one folder: sockets, services, and the hands that reach into
// the upstream repository, which must be there.
base::Result<void> place_services(pod::Materials& materials, const scenario::Scenario& scenario,
                                  const Settings& settings, const std::string& folder);

// Copies the disks as they were left, and the container's output, to a new folder, and returns its path.
std::string keep_world(const scenario::Scenario& scenario, const pod::WorldRecord& record);

}  // namespace explore
