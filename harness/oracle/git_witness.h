// Git itself as an independent witness: the real program, run from outside on the world's disks, read only, with a
// bound on every wait and without anything of the host's configuration.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"

namespace oracle {

struct GitAnswer {
  int exit_code = 0;
  std::string output;
  std::string errors;
};

struct GitQuestion {
  std::vector<std::string> arguments;  // what follows "git"
  std::string input;                   // for its standard input
  std::map<std::string, std::string> environment;
  std::chrono::seconds deadline{60};  // of real time; the process is killed after it
};

// An error when git could not be started, had to be killed, or died by a signal. Any exit code is an answer.
base::Result<GitAnswer> ask_git(const GitQuestion& question);

// The same for a repository with a work tree, without looking for another repository in the folders above.
base::Result<GitAnswer> ask_git_in(const std::filesystem::path& checkout, std::vector<std::string> arguments);

}  // namespace oracle
