// Lets libgit2 read a repository's objects through ObjectStore: on its own it never returns from a loose object that is
// cut off.
#pragma once

#include <git2.h>

#include <filesystem>
#include <string_view>

#include "base/result.h"

namespace checkout {

// From now on `repository` asks the store first. An object that lies loose and damaged is an error, and is not asked of
// libgit2's own reader.
base::Result<void> read_with_own_reader(git_repository* repository, const std::filesystem::path& git_folder);

// Is this what libgit2 says when it met one?
bool tells_of_damaged_object(std::string_view message);

}  // namespace checkout
