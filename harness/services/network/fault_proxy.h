// A service of the world that stands in front of another one and spoils its answers, as the timeline wants. Worlds
// without such faults do without it. It sees the service's own clock, so its waits are the world's.
#pragma once

#include <string>

namespace services {

struct FaultProxy {
  int descriptor = -1;      // an inherited socket that listens already; owned from here on
  int port = 0;             // where the service listens, on the loopback; 0: none, and every request gets a yes
  std::string rules;        // a file; each line is a pod::NetworkRule, and lines are added while the world runs
  std::string log;          // the log of answers; gets a line for each request that is spoilt
  std::string service;      // its name, for the world, which is told of each request by a mark
  std::string certificate;  // files, PEM: clients speak TLS, which ends here; empty: they do not
  std::string key_file;
};

// Serves until the process is ended from outside. Returns an exit status, with a message on standard error, only when
// it cannot start or the socket fails.
int run_fault_proxy(const FaultProxy& proxy);

}  // namespace services
