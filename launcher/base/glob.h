#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace base {

// Files and folders that match, sorted. `*`, `?` and `[…]` stay within a name, `**` stands for any number of folders.
// Below `**` links to folders are not followed and hidden folders not entered. At most `entries_max` names are looked
// at.
std::vector<std::string> glob(const std::string& pattern, std::size_t entries_max = 200000);

// The part of a pattern before its first wildcard that is a whole folder: "/a/b" for "/a/b/**/*.pt".
std::string fixed_folder(const std::string& pattern);

bool has_wildcard(std::string_view text);

}  // namespace base
