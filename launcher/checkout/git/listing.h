// What lies in a folder and below it, read once.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace checkout {

struct Listed {
  std::string name;  // from the folder on: "refs/heads/main"
  mode_t mode = 0;   // as lstat tells
};

struct Listing {
  std::vector<Listed> files;  // folders and links, too; sorted by name
  bool opened = true;         // false: the folder itself cannot be listed
  bool complete = true;       // false: one below it cannot be

  const Listed* find(std::string_view name) const;  // nullptr: nothing lies there
  std::span<const Listed> below(std::string_view folder) const;
};

// A folder that `enter` refuses is told, and not what lies in it. Links are not followed.
Listing list_below(const std::filesystem::path& folder, const std::function<bool(const std::string&)>& enter);

}  // namespace checkout
