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

// Whether the timeline has faults of the service that the proxy in front of it makes, or the settings say that any may
// come.
bool needs_proxy(const scenario::Scenario& scenario, const Settings& settings, const std::string& service);
// The proxy: it listens on `port` and asks the service on `behind`; 0: there is none. With `keys`, a folder with
// certificate.pem and key.pem, clients speak TLS.
base::Result<void> place_proxy(pod::Materials& materials, const Settings& settings, const std::string& service,
                               int port, int behind, const std::string& keys = {});

// Where the upstream repository lies; whoever builds the world makes it.
std::string upstream_path(const pod::Materials& materials, const scenario::Scenario& scenario);

// The pod's own files that lead its programs there.
void name_git_host(pod::Materials& materials, const scenario::Scenario& scenario, const Settings& settings);

// The services and the sockets that they listen on.
base::Result<void> place_git_service(pod::Materials& materials, const scenario::Scenario& scenario,
                                     const Settings& settings);

}  // namespace explore
