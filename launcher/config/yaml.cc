#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include "launcher/config/nearest.h"
#include "launcher/config/setting.h"
#include "launcher/config/sources.h"
#include "launcher/config/words.h"

namespace config {

using base::Result;

static std::string place(const std::string& path, const YAML::Mark& mark) {
  return mark.is_null() ? path : fmt::format("{}:{}", path, mark.line + 1);
}

static tl::unexpected<base::Error> refuse(const std::string& place, const std::string& detail,
                                          std::string remedy = {}) {
  return base::fail(base::invalid_input(fmt::format("{}: {}", place, detail), std::move(remedy)));
}

// `env` may be written as a map, which reads better than a list of NAME=VALUE.
static std::vector<std::string> pairs_of(const YAML::Node& map) {
  std::vector<std::string> pairs;
  for (const auto& entry : map) {
    pairs.push_back(entry.first.as<std::string>() + "=" +
                    (entry.second.IsNull() ? "" : entry.second.as<std::string>()));
  }
  return pairs;
}

static Result<std::vector<std::string>> values_of(const Setting& setting, const YAML::Node& node,
                                                  const std::string& at) {
  if (node.IsMap() && setting.name == "env") return pairs_of(node);
  if (node.IsMap() || node.IsNull()) return refuse(at, fmt::format("{} has no value that can be used", setting.name));
  if (node.IsSequence()) {
    if (setting.form == Setting::Form::kOne || setting.form == Setting::Form::kSwitch) {
      return refuse(at, fmt::format("{} takes one value, not a list", setting.name));
    }
    std::vector<std::string> values;
    for (const YAML::Node& item : node) {
      if (!item.IsScalar()) return refuse(at, fmt::format("{} is a list of plain texts", setting.name));
      values.push_back(item.Scalar());
    }
    return values;
  }
  if (setting.form == Setting::Form::kWords) {
    auto words = split_words(node.Scalar());
    if (!words) return refuse(at, words.error().message());
    return *words;
  }
  if (setting.form == Setting::Form::kSwitch && node.Scalar() != "true" && node.Scalar() != "false") {
    return refuse(at, fmt::format("{} is true or false, not \"{}\"", setting.name, node.Scalar()));
  }
  return std::vector<std::string>{node.Scalar()};
}

static Result<RawValues> read_document(const std::string& path, const std::string& text) {
  const YAML::Node document = YAML::Load(text);
  RawValues raw;
  if (document.IsNull()) return raw;
  if (!document.IsMap()) return refuse(place(path, document.Mark()), "a configuration is a map of names and values");
  for (const auto& entry : document) {
    const std::string at = place(path, entry.first.Mark());
    const std::string key = entry.first.as<std::string>();
    const Setting* setting = find_setting(key);
    if (setting == nullptr) {
      const std::string suggestion = nearest(key, setting_names());
      return refuse(
          at, fmt::format("unknown key \"{}\"", key),
          suggestion.empty() ? "podlaunch --help lists all names." : fmt::format("Did you mean \"{}\"?", suggestion));
    }
    if (raw.contains(key)) return refuse(at, fmt::format("\"{}\" is given twice", key));
    auto values = values_of(*setting, entry.second, at);
    if (!values) return base::fail(values.error());
    raw[key] = RawValue{*values, at};
  }
  return raw;
}

Result<RawValues> read_yaml(const std::string& path, const Result<std::string>& text) {
  if (!text) {
    base::Error error = text.error();
    error.code = base::ErrorCode::kInvalidInput;
    error.operation = "read the configuration";
    error.remedy = "Check the path given to --config.";
    return base::fail(error);
  }
  try {
    return read_document(path, *text);
  } catch (const YAML::Exception& exception) {
    return refuse(place(path, exception.mark), exception.msg);
  }
}

}  // namespace config
