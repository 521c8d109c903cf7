// Git's index (the staging area) read without libgit2: with what it believes about each file, and the trees it caches.
#pragma once

#include <git2/oid.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace checkout {

struct IndexEntry {
  std::string path;
  git_oid id;
  std::uint32_t mode = 0;
  std::uint32_t modified_seconds = 0;
  std::uint32_t modified_nanoseconds = 0;
  std::uint32_t changed_seconds = 0;
  std::uint32_t changed_nanoseconds = 0;
  std::uint32_t inode = 0;
  std::uint32_t size = 0;
  int stage = 0;         // not 0: one side of a conflict
  bool skipped = false;  // assume-unchanged, skip-worktree or intent-to-add: git does not compare the file

  bool is_submodule() const { return mode == 0160000; }
  bool is_link() const { return mode == 0120000; }
  bool is_executable() const { return mode == 0100755; }
};

struct IndexFile {
  std::vector<IndexEntry> entries;
  std::optional<git_oid> tree;  // the tree that the entries make, where the index remembers it
  std::vector<git_oid> cached_trees;
  std::optional<git_oid>
      shared;  // the checksum of the other file, sharedindex.<id>, that most of a split index lies in
};

// nullopt when the file is not an index or contradicts itself. The checksum is not looked at.
std::optional<IndexFile> read_index_file(const std::filesystem::path& path);
std::optional<IndexFile> parse_index(std::string_view contents);
// The file that a split index is the difference to: there, an index, and of that checksum.
bool has_shared_index(const std::filesystem::path& git_folder, const git_oid& checksum);
// The last 20 bytes are the SHA-1 of those before.
bool ends_with_checksum(std::string_view contents);

}  // namespace checkout
