#include "harness/explore/command_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iostream>

#include "harness/scenario/names.h"

namespace explore {

static constexpr int kSetupError = 3;

static scenario::Names flags_of(const CLI::App& app) {
  scenario::Names flags;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
    for (const std::string& name : option->get_snames()) flags.push_back("-" + name);
  }
  return flags;
}

// The first word that nothing takes; CLI11 counts words of which it was not told as left over.
static std::string advice(const CLI::App& app) {
  for (const std::string& word : app.remaining()) {
    const std::string flag = word.substr(0, word.find('='));
    if (!flag.starts_with("--")) continue;
    if (const std::string near = scenario::nearest(flag, flags_of(app)); !near.empty())
      return fmt::format("\nDid you mean {}?", near);
  }
  return {};
}

std::optional<int> parse_words(CLI::App& app, std::vector<std::string> words) {
  std::ranges::reverse(words);
  try {
    app.parse(std::move(words));
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    std::cerr << fmt::format("simrun: {}{}\nRun `{} --help` for what can be said.\n", error.what(), advice(app),
                             app.get_name());
    return kSetupError;
  }
  return std::nullopt;
}

void add_podlaunch_option(CLI::App& app, Settings& settings) {
  app.add_option("--podlaunch", settings.podlaunch, "the podlaunch that lies in the pods")
      ->check(CLI::ExistingFile)
      ->each([&settings](const std::string& path) {
        settings.podlaunch = std::filesystem::absolute(path);
        settings.podlaunch_given = true;
      });
}

}  // namespace explore
