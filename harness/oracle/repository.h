// Looking for work in the repositories that lie on the world's disks, sound or damaged, without touching them.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "base/result.h"

namespace oracle {

// Whether a folder looks like a git directory: a `.git`, a bare repository, or what damage has left of one.
bool looks_like_git_folder(const std::filesystem::path& folder);

// Whether what nothing but a reflog (other than the stash's) or ORIG_HEAD leads to counts as kept. Git takes it away
// after 30 days where it is used, and leaves it where nobody uses it, as in quarantine.
enum class Reflogs { kCount, kDoNotCount };

// Calls `visit` with the content of every blob of at least `size_min` bytes that something in the repository still
// leads to: a reference (rescued ones, stashes and remote-tracking ones too), the index, or perhaps a reflog. Damage
// hides the objects it hit and nothing else. An error says that git could not be asked at all.
base::Result<void> visit_reachable_blobs(const std::filesystem::path& git_folder, Reflogs reflogs, std::size_t size_min,
                                         const std::function<void(const std::string& content)>& visit);

// Whether a file looks like a git bundle: commits packed into one file, apart from those that somebody else has.
bool looks_like_bundle(const std::filesystem::path& file);

// The same for what a bundle brings to a copy of `upstream`, as git fetches it. An error when git does not take it.
base::Result<void> visit_bundled_blobs(const std::filesystem::path& bundle, const std::filesystem::path& upstream,
                                       std::size_t size_min,
                                       const std::function<void(const std::string& content)>& visit);

}  // namespace oracle
