// Reads one scenario's YAML strictly. The first thing that is wrong is kept, with file, line and the full name of the
// key; reading goes on with harmless values, so that callers need no error paths of their own.
#pragma once

#include <yaml-cpp/yaml.h>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "harness/scenario/names.h"
#include "harness/scenario/scenario.h"

namespace scenario {

// What "${name}" stands for in scalars: one instance of a `for-each`.
using Substitutions = std::map<std::string, std::string>;

class Reader {
 public:
  Reader(std::string file, Substitutions substitutions)
      : file_(std::move(file)), substitutions_(std::move(substitutions)) {}

  const std::optional<base::Error>& error() const { return error_; }

  // `complaint` continues the sentence that the key's name begins: "is -3, …".
  void refuse(const YAML::Node& node, const std::string& complaint, std::string remedy = {});
  void refuse_at(int line, const std::string& subject, const std::string& complaint, std::string remedy = {});

  // Scalars. Text is what is quoted or cannot be taken for a number, a truth value or nothing.
  std::string text(const YAML::Node& node);
  std::string word(const YAML::Node& node);  // any scalar that is something, as written
  std::string choice(const YAML::Node& node, const Names& names);
  std::string regular_expression(const YAML::Node& node);
  std::string absolute_path(const YAML::Node& node);
  bool truth(const YAML::Node& node);
  int whole_number(const YAML::Node& node, int smallest);
  double number(const YAML::Node& node);
  Duration duration(const YAML::Node& node);
  Duration positive_duration(const YAML::Node& node);
  std::uint64_t size(const YAML::Node& node);

  // Does `action` for the value behind `key`, so that complaints name the key.
  void within(const std::string& key, const std::function<void()>& action);

  // Sequences. `item` is called with each, under its own name.
  void each(const YAML::Node& node, const std::function<void(const YAML::Node&)>& item);
  std::vector<std::string> words(const YAML::Node& node);

  // Maps whose keys the user invents.
  void each_entry(const YAML::Node& node, const std::function<void(const std::string&, const YAML::Node&)>& entry);
  // Maps with known keys; use `read_section` of section.h.
  void known_entries(const YAML::Node& node, const Names& keys, const std::vector<std::string>& required,
                     const std::function<void(std::size_t, const YAML::Node&)>& entry);

  static int line(const YAML::Node& node);

 private:
  struct Scalar {
    std::string text;
    bool plain = false;  // unquoted, or filled in by a substitution
  };
  std::optional<Scalar> scalar(const YAML::Node& node, std::string_view expected);
  void entries(const YAML::Node& node, const std::function<void(const YAML::Node&, const YAML::Node&)>& entry);
  std::string substitute(std::string text, bool& changed) const;
  std::string key_name() const;

  std::string file_;
  Substitutions substitutions_;
  std::vector<std::string> path_;
  std::optional<base::Error> error_;
};

// Whether an unquoted scalar is read as a number, a truth value or nothing by YAML's core schema.
bool is_number(std::string_view text);
bool is_truth(std::string_view text);
bool is_nothing(std::string_view text);

}  // namespace scenario
