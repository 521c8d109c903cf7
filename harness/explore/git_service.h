// The world's git host: the server, the way to it, and a proxy in front of it where the scenario has faults that need
// one.
#pragma once

#include <string>

#include "base/result.h"
#include "harness/explore/workers.h"
#include "harness/pod/world/world.h"
#include "harness/scenario/scenario.h"

namespace explore {

// A socket that already listens, so that nobody has to wait for the server to come up; kept in the materials.
base::Result<int> listen_on_loopback(int port, pod::Materials& materials);

// Where the upstream repository lies; whoever builds the world makes it.
std::string upstream_path(const pod::Materials& materials, const scenario::Scenario& scenario);

// The pod's own files that lead its programs there.
void name_git_host(pod::Materials& materials, const scenario::Scenario& scenario, const Settings& settings);

// The services and the sockets that they listen on.
base::Result<void> place_git_service(pod::Materials& materials, const scenario::Scenario& scenario,
                                     const Settings& settings);

}  // namespace explore
