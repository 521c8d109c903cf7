// The provider's API as a program of its own inside a simulated world: HTTPS, one request at a time. What it does to
// the pod it tells the world by marks; of the pod's state and its own faults it learns from a file that the world
// writes.
#pragma once

#include <string>

namespace services {

struct ProviderServer {
  std::string certificate;  // files, PEM; empty: plain HTTP, for a proxy that speaks TLS in its place
  std::string key_file;
  std::string state;    // a file: {"pod": …, "status": …, "rest": FAULT, "graphql": FAULT}
  std::string api_key;  // the pod's own
  std::string log;      // as for the git server
  int descriptor = -1;  // listens already; owned from here on
};

// Serves until it is ended from outside; returns only when it cannot.
int run_provider_server(const ProviderServer& server);

}  // namespace services
