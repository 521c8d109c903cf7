// Random scenarios. A number and a seed make one, always the same: a pod, a start command, and a timeline in two
// phases. First the faults, each of which ends by itself (a time, a count, a new host); then nothing more, so that
// whatever is not finished by then has no excuse that docs/exploring.md does not list.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "harness/scenario/scenario.h"

namespace explore {

struct Drawn {
  scenario::Scenario scenario;
  std::vector<std::string> options;  // everything that was drawn, as a scenario would say it
  // A start command that is known to fail; shown beside the others, and not held against anybody.
  bool known_bad = false;
};

struct Palette {
  // What every world starts with in the place of podlaunch and the shell commands; its pod counts for nothing.
  std::optional<scenario::Scenario> base;
  // Known bad start commands, by name.
  std::vector<std::pair<std::string, std::string>> shell_commands;
};

Drawn draw(std::uint64_t seed, int number, const Palette& palette);

}  // namespace explore
