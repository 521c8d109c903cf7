#include "harness/scenario/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <regex>
#include <set>

#include "harness/scenario/quantity.h"

namespace scenario {

bool is_number(std::string_view text) {
  static const std::regex core_schema(
      "[-+]?(\\.[0-9]+|[0-9]+(\\.[0-9]*)?)([eE][-+]?[0-9]+)?|0o[0-7]+|0x[0-9a-fA-F]+|[-+]?\\.(inf|Inf|INF)|"
      "\\.(nan|NaN|NAN)");
  return std::regex_match(text.begin(), text.end(), core_schema);
}

bool is_truth(std::string_view text) {
  return text == "true" || text == "True" || text == "TRUE" || text == "false" || text == "False" || text == "FALSE";
}

bool is_nothing(std::string_view text) {
  return text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL";
}

static std::string_view kind_of(const YAML::Node& node) {
  if (node.IsMap()) return "a map";
  if (node.IsSequence()) return "a list";
  if (node.IsNull()) return "empty";
  return "a single value";
}

int Reader::line(const YAML::Node& node) {
  return node.Mark().line + 1;
}

std::string Reader::key_name() const {
  std::string name;
  for (const std::string& step : path_) {
    if (!name.empty() && step.front() != '[') name += '.';
    name += step;
  }
  return name.empty() ? "the scenario" : name;
}

void Reader::refuse_at(int line, const std::string& subject, const std::string& complaint, std::string remedy) {
  if (error_) return;
  error_ = base::Error{.code = base::ErrorCode::kInvalidInput,
                       .operation = "read the scenario",
                       .path = fmt::format("{}:{}", file_, line),
                       .system_errno = 0,
                       .detail = fmt::format("{} {}", subject, complaint),
                       .remedy = std::move(remedy)};
}

void Reader::refuse(const YAML::Node& node, const std::string& complaint, std::string remedy) {
  refuse_at(line(node), key_name(), complaint, std::move(remedy));
}

void Reader::within(const std::string& key, const std::function<void()>& action) {
  path_.push_back(key);
  action();
  path_.pop_back();
}

std::string Reader::substitute(std::string text, bool& changed) const {
  for (const auto& [name, value] : substitutions_) {
    const std::string pattern = fmt::format("${{{}}}", name);
    for (std::size_t at = text.find(pattern); at != std::string::npos; at = text.find(pattern, at + value.size())) {
      text.replace(at, pattern.size(), value);
      changed = true;
    }
  }
  return text;
}

std::optional<Reader::Scalar> Reader::scalar(const YAML::Node& node, std::string_view expected) {
  if (!node.IsScalar()) {
    refuse(node, fmt::format("is {}, but must be {}", kind_of(node), expected));
    return std::nullopt;
  }
  bool changed = false;
  Scalar scalar{.text = substitute(node.Scalar(), changed), .plain = false};
  scalar.plain = changed || node.Tag() == "?";
  return scalar;
}

std::string Reader::text(const YAML::Node& node) {
  const auto read = scalar(node, "text");
  if (!read) return {};
  if (read->plain && (is_number(read->text) || is_truth(read->text) || is_nothing(read->text))) {
    refuse(node, fmt::format("is {}, which is not text", read->text), "Put it in quotes.");
  }
  return read->text;
}

std::string Reader::word(const YAML::Node& node) {
  const auto read = scalar(node, "a single value");
  if (read && read->plain && is_nothing(read->text)) refuse(node, "is empty", "Write \"\" for an empty word.");
  return read ? read->text : std::string();
}

std::string Reader::choice(const YAML::Node& node, const Names& names) {
  const std::string chosen = text(node);
  if (std::find(names.begin(), names.end(), chosen) == names.end()) {
    refuse(node, fmt::format("is \"{}\", which is not known", chosen), suggest(chosen, names));
  }
  return chosen;
}

std::string Reader::regular_expression(const YAML::Node& node) {
  const std::string pattern = text(node);
  try {
    const std::regex compiled(pattern);
  } catch (const std::regex_error& problem) {
    refuse(node, fmt::format("is not a regular expression: {}", problem.what()));
  }
  return pattern;
}

std::string Reader::absolute_path(const YAML::Node& node) {
  const std::string path = text(node);
  if (path.empty() || path.front() != '/') {
    refuse(node, fmt::format("is \"{}\", but must be an absolute path in the pod", path));
  } else if (std::filesystem::path(path).lexically_normal() != path || (path.size() > 1 && path.back() == '/')) {
    refuse(node, fmt::format("is \"{}\"", path),
           "Write the path without \".\", \"..\", \"//\" and a \"/\" at its end.");
  }
  return path;
}

bool Reader::truth(const YAML::Node& node) {
  const auto read = scalar(node, "true or false");
  if (read && !(read->plain && is_truth(read->text))) {
    refuse(node, fmt::format("is \"{}\", but must be true or false", read->text));
  }
  return read && (read->text.starts_with('t') || read->text.starts_with('T'));
}

int Reader::whole_number(const YAML::Node& node, int smallest) {
  const std::string expected = fmt::format("a whole number of at least {}", smallest);
  const auto read = scalar(node, expected);
  if (!read) return smallest;
  int value = 0;
  const auto [end, error] = std::from_chars(read->text.data(), read->text.data() + read->text.size(), value);
  if (!read->plain || error != std::errc() || end != read->text.data() + read->text.size() || value < smallest) {
    refuse(node, fmt::format("is {}, but must be {}", read->text, expected));
    return smallest;
  }
  return value;
}

double Reader::number(const YAML::Node& node) {
  const auto read = scalar(node, "a number");
  if (!read) return 0;
  double value = 0;
  const auto [end, error] = std::from_chars(read->text.data(), read->text.data() + read->text.size(), value);
  if (!read->plain || !is_number(read->text) || error != std::errc() || value < 0) {
    refuse(node, fmt::format("is {}, but must be a number that is not negative", read->text));
    return 0;
  }
  return value;
}

Duration Reader::duration(const YAML::Node& node) {
  const auto read = scalar(node, "a length of time");
  if (!read) return Duration(0);
  const auto parsed = parse_duration(read->text);
  if (!parsed || (!read->plain && is_number(read->text))) {
    refuse(node, fmt::format("is {}, which is no length of time", read->text),
           "Write 90s, 5min, 2h or 1d; a number alone counts seconds; it cannot be negative.");
    return Duration(0);
  }
  return *parsed;
}

Duration Reader::positive_duration(const YAML::Node& node) {
  const Duration length = duration(node);
  if (length == Duration(0)) refuse(node, "is 0, but must be longer");
  return length;
}

std::uint64_t Reader::size(const YAML::Node& node) {
  const auto read = scalar(node, "a size");
  if (!read) return 0;
  const auto parsed = parse_size(read->text);
  if (!parsed || (!read->plain && is_number(read->text))) {
    refuse(node, fmt::format("is {}, which is no size", read->text),
           "Write 20GiB, 512MiB or 15GB; a number alone counts bytes.");
    return 0;
  }
  return *parsed;
}

void Reader::each(const YAML::Node& node, const std::function<void(const YAML::Node&)>& item) {
  if (!node.IsSequence()) {
    refuse(node, fmt::format("is {}, but must be a list", kind_of(node)),
           "Write [a, b], or one item a line after \"- \".");
    return;
  }
  for (std::size_t index = 0; index < node.size(); ++index) {
    const YAML::Node element = node[index];
    within(fmt::format("[{}]", index + 1), [&] { item(element); });
  }
}

std::vector<std::string> Reader::words(const YAML::Node& node) {
  std::vector<std::string> all;
  each(node, [&](const YAML::Node& item) { all.push_back(word(item)); });
  return all;
}

void Reader::entries(const YAML::Node& node, const std::function<void(const YAML::Node&, const YAML::Node&)>& entry) {
  if (!node.IsMap()) {
    refuse(node, fmt::format("is {}, but must be a map", kind_of(node)), "Write \"key: value\".");
    return;
  }
  std::set<std::string> seen;
  for (const auto& pair : node) {
    const YAML::Node key = pair.first;
    if (!key.IsScalar()) {
      refuse(key, "has a key that is not a single word");
      return;
    }
    if (!seen.insert(key.Scalar()).second) refuse(key, fmt::format("has the key \"{}\" twice", key.Scalar()));
    within(key.Scalar(), [&] { entry(key, pair.second); });
  }
}

void Reader::each_entry(const YAML::Node& node,
                        const std::function<void(const std::string&, const YAML::Node&)>& entry) {
  entries(node, [&](const YAML::Node& key, const YAML::Node& value) { entry(key.Scalar(), value); });
}

void Reader::known_entries(const YAML::Node& node, const Names& keys, const std::vector<std::string>& required,
                           const std::function<void(std::size_t, const YAML::Node&)>& entry) {
  entries(node, [&](const YAML::Node& key, const YAML::Node& value) {
    const auto found = std::find(keys.begin(), keys.end(), key.Scalar());
    if (found == keys.end()) {
      refuse(key, "is not a known key", suggest(key.Scalar(), keys));
      return;
    }
    entry(static_cast<std::size_t>(found - keys.begin()), value);
  });
  for (const std::string& key : required) {
    if (node.IsMap() && !node[key].IsDefined()) refuse(node, fmt::format("lacks the key \"{}\"", key));
  }
}

}  // namespace scenario
