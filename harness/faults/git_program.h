// Git as the simulator's tool: run outside the pod, untouched by the machine's or the user's configuration, with the
// same identity each time and with a bound on every wait.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"

namespace faults {

struct GitCall {
  std::vector<std::string> arguments;  // what follows "git"
  std::string input = {};
  std::map<std::string, std::string> environment = {};
};

// What git printed. An error when it could not be started, did not end within a minute (it is killed then), or failed;
// what it said is in the error's detail.
base::Result<std::string> run_git(const GitCall& call);

// "Ada Trainer <ada@example.org> 1767225600 +0000": who commits in simulated worlds, and when.
std::string identity(std::int64_t when_seconds);

}  // namespace faults
