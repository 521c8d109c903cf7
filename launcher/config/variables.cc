#include <fmt/format.h>

#include <set>

#include "launcher/config/nearest.h"
#include "launcher/config/setting.h"
#include "launcher/config/sources.h"
#include "launcher/config/words.h"

namespace config {

// What podlaunch gives to the training; a launcher started by that training sees them and must not mind.
static const std::set<std::string> kOurOwn = {"PODLAUNCH_RUN_ID", "PODLAUNCH_ATTEMPT", "PODLAUNCH_RESUME_FROM",
                                              "PODLAUNCH_CONFIG"};

static std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    if (end > start) lines.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  return lines;
}

static base::Result<std::vector<std::string>> values_of(const Setting& setting, const std::string& variable,
                                                        const std::string& text) {
  switch (setting.form) {
    case Setting::Form::kOne:
      return std::vector<std::string>{text};
    case Setting::Form::kMany:
      return lines_of(text);
    case Setting::Form::kWords:
      return split_words(text);
    case Setting::Form::kSwitch:
      break;
  }
  const bool on = text == "1" || text == "true" || text == "yes";
  if (!on && text != "0" && text != "false" && text != "no" && !text.empty()) {
    return base::fail(base::invalid_input(fmt::format("{} is true or false, not \"{}\"", variable, text)));
  }
  return std::vector<std::string>{on ? "true" : "false"};
}

base::Result<RawValues> read_variables(const Environment& environment) {
  std::map<std::string, const Setting*> known;
  std::vector<std::string> names;
  for (const Setting& setting : settings()) {
    known[variable_of(setting.name)] = &setting;
    names.push_back(variable_of(setting.name));
  }
  RawValues raw;
  for (auto entry = environment.lower_bound("PODLAUNCH_"); entry != environment.end(); ++entry) {
    const auto& [variable, text] = *entry;
    if (!variable.starts_with("PODLAUNCH_")) break;
    if (kOurOwn.contains(variable)) continue;
    const auto found = known.find(variable);
    if (found == known.end()) {
      const std::string suggestion = nearest(variable, names);
      return base::fail(base::invalid_input(
          fmt::format("unknown variable {}", variable),
          suggestion.empty() ? "podlaunch --help lists all names." : fmt::format("Did you mean {}?", suggestion)));
    }
    // Templates leave fields empty rather than out.
    if (text.empty()) continue;
    auto values = values_of(*found->second, variable, text);
    if (!values) return base::fail(values.error());
    if (!values->empty()) raw[found->second->name] = RawValue{*values, variable};
  }
  return raw;
}

}  // namespace config
