// What all commands of simrun have in common on the command line.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "harness/explore/workers.h"

namespace explore {

// Parses with CLI11, whose own exit codes mean something else here. Nothing: go on. An unknown flag is answered with
// the nearest known one.
std::optional<int> parse_words(CLI::App& app, std::vector<std::string> words);

// Another podlaunch than the one beside simrun: an older version, or one with a mistake in it.
void add_podlaunch_option(CLI::App& app, Settings& settings);

}  // namespace explore
