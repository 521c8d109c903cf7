// A split index (core.splitIndex): .git/index holds only what is different from another file, sharedindex.<checksum>.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "launcher/checkout/git/index_file.h"

namespace checkout {

// The entries of both. nullopt when the other file is not there or damaged, or when the two contradict each other.
std::optional<IndexFile> join_split_index(const std::filesystem::path& git_folder, const IndexFile& split);

// The bytes of an index of one file, which libgit2 can read, too.
std::string format_index(const std::vector<IndexEntry>& entries);

}  // namespace checkout
