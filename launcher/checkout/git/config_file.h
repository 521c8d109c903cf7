// .git/config read without libgit2: nothing it includes is opened, nothing it names is run.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace checkout {

class ConfigFile {
 public:
  // nullopt when git would not read it either; then `complaint` says where it stops.
  static std::optional<ConfigFile> parse(std::string_view contents, std::string* complaint = nullptr);

  // "remote.origin.url"; the section and the last word in lower case. The last value wins.
  std::optional<std::string> value(const std::string& key) const;
  bool flag(const std::string& key) const;  // false also when it is not there
  std::optional<long> number(const std::string& key) const;
  const std::map<std::string, std::string>& values() const { return values_; }

 private:
  std::map<std::string, std::string> values_;
};

}  // namespace checkout
