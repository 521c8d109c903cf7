#include <fmt/format.h>

#include <algorithm>

#include "harness/scenario/sections.h"

namespace scenario {

const Names& podlaunch_keys() {
  static const Names keys{"repo", "ref", "checkout", "setup", "train"};
  return keys;
}

static bool is_flag_name(const std::string& key) {
  return !key.empty() && key.front() >= 'a' && key.front() <= 'z' && key.back() != '-' &&
         key.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos;
}

// `key: true` is the flag alone, `key: false` is none, a list gives the flag once for each item.
static void add_flag(Reader& reader, const std::string& key, const YAML::Node& value, Start& start) {
  const std::string flag = "--" + key;
  if (value.IsSequence()) {
    for (const std::string& word : reader.words(value)) start.command.insert(start.command.end(), {flag, word});
    return;
  }
  const std::string word = reader.word(value);
  const bool plain = value.IsScalar() && value.Tag() == "?";
  if (plain && is_truth(word)) {
    if (reader.truth(value)) start.command.push_back(flag);
  } else {
    start.command.insert(start.command.end(), {flag, word});
  }
}

static void read_podlaunch(Reader& reader, const YAML::Node& node, Start& start) {
  std::vector<std::string> train;
  start.command = {"podlaunch"};
  start.is_podlaunch = true;
  reader.each_entry(node, [&](const std::string& key, const YAML::Node& value) {
    if (!is_flag_name(key)) {
      reader.refuse(value, "cannot be a flag of podlaunch", suggest(key, podlaunch_keys()));
    } else if (key == "train") {
      train = reader.words(value);
    } else {
      if (key == "checkout") start.checkout = reader.absolute_path(value);
      add_flag(reader, key, value, start);
    }
  });
  if (train.empty()) reader.refuse(node, "lacks the key \"train\"", "Write the training command as a list of words.");
  start.command.emplace_back("--");
  start.command.insert(start.command.end(), train.begin(), train.end());
}

const Section<Start>& start_section() {
  static const Section<Start> section{
      {"shell",
       [](Reader& reader, const YAML::Node& node, Start& start) {
         start.command = {"bash", "-c", reader.text(node)};
         if (start.command.back().empty()) reader.refuse(node, "is empty");
       }},
      {"exec",
       [](Reader& reader, const YAML::Node& node, Start& start) {
         start.command = reader.words(node);
         if (start.command.empty() || start.command.front().empty()) reader.refuse(node, "names no program");
       }},
      {"podlaunch", read_podlaunch},
      {"checkout",
       [](Reader& reader, const YAML::Node& node, Start& start) { start.checkout = reader.absolute_path(node); }},
  };
  return section;
}

void read_start(Reader& reader, const YAML::Node& node, Start& start) {
  read_section(reader, node, start_section(), start);
  if (!node.IsMap()) return;
  for (const std::string& word : start.command) {
    if (word.find('\0') != std::string::npos)
      return reader.refuse(node, "holds a zero byte, which no command line can have");
  }
  const auto commands = std::count_if(node.begin(), node.end(), [](const auto& entry) {
    return !entry.first.IsScalar() || entry.first.Scalar() != "checkout";
  });
  if (commands != 1) {
    reader.refuse(node, fmt::format("has {} start commands, but must have one", commands),
                  "Write one of shell, exec and podlaunch.");
  } else if (start.is_podlaunch && node["checkout"].IsDefined()) {
    reader.refuse(node["checkout"], "has its checkout within podlaunch", "Remove the one beside it.");
  }
}

}  // namespace scenario
