// Commits that are here and not upstream, as one file that git reads: a bundle.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "launcher/checkout/git/history.h"

namespace evacuation {

struct LocalHistory {
  // Names and what they lead to; what lies in upstream's history is left out. Reflog entries and a detached HEAD get
  // names of their own below refs/podlaunch/.
  std::map<std::string, git_oid> tips;
  std::vector<git_oid> boundary;  // upstream's commits that the local ones build on
  std::vector<git_oid> objects;   // everything between
  std::size_t commits = 0;
  bool whole = true;  // false: something of it is missing or damaged
};

// Errors: the object database cannot be opened.
base::Result<LocalHistory> find_local_history(const std::filesystem::path& git_folder);

// Hands the bundle's bytes to `write`, which says whether it could take them.
base::Result<void> write_bundle(const std::filesystem::path& git_folder, const LocalHistory& history,
                                const std::function<bool(std::string_view)>& write);

// Two histories of the same tips are the same.
std::string identity_of(const LocalHistory& history);

}  // namespace evacuation
