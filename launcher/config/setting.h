// The table of settings: the one place that knows each name, what it may hold and where it goes.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "launcher/config/config.h"

namespace config {

struct Setting {
  enum class Form { kOne, kMany, kSwitch, kWords };
  std::string name;  // "max-hours": --max-hours, PODLAUNCH_MAX_HOURS, max-hours: in YAML
  Form form = Form::kOne;
  std::string value_name;  // for the help
  std::string help;
  // Given all values: one for kOne, "true" or "false" for kSwitch, the words of the command for kWords.
  std::function<base::Result<void>(Config&, const std::vector<std::string>&)> apply;
};

std::span<const Setting> settings();
const Setting* find_setting(std::string_view name);
std::vector<std::string> setting_names();

// "max-hours" -> "PODLAUNCH_MAX_HOURS"
std::string variable_of(std::string_view name);

}  // namespace config
