// A real git server over HTTP, as a program of its own inside a simulated world: cpp-httplib in front of git's own
// http-backend. It answers one request at a time and closes each connection, so that the order of its answers does not
// depend on threads, and nothing in it wakes up by itself while nobody asks.
#pragma once

#include <string>

namespace services {

struct GitServer {
  std::string root;     // /OWNER/NAME.git of a URL lies at root/OWNER/NAME.git
  std::string log;      // a file; gets a line for each answer: method, target, status, digest of what it said
  int descriptor = -1;  // an inherited socket that listens already; owned from here on
};

// Serves until the process is ended from outside. Returns an exit status, with a message on standard error, only when
// it cannot start or the socket fails. Repositories are read only: pushes are refused.
int run_git_server(const GitServer& server);

}  // namespace services
