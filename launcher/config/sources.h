// Where values come from: each source gives names and raw texts; `understand` decides who wins.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "launcher/config/config.h"

namespace config {

struct RawValue {
  std::vector<std::string> values;
  std::string origin;  // "--repo", "PODLAUNCH_REPO", "podlaunch.yaml:3"
};
using RawValues = std::map<std::string, RawValue>;  // by the setting's name

base::Result<RawValues> read_yaml(const std::string& path, const base::Result<std::string>& content);
base::Result<RawValues> read_variables(const Environment& environment);

struct CommandLine {
  Command command = Command::kRun;
  RawValues values;
  std::string config_file;
  bool json = false;
  bool deep = false;
  bool full = false;
  bool follow = false;
  std::optional<int> attempt;
  std::string path;
  std::string help;
};
base::Result<CommandLine> read_command_line(const std::vector<std::string>& arguments);

}  // namespace config
