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
  std::uint32_t device = 0;  // differs from mount to mount
  std::uint32_t inode = 0;
  std::uint32_t owner = 0;
  std::uint32_t group = 0;
  std::uint32_t size = 0;
  std::uint16_t flags = 0;  // as git writes them
  std::uint16_t flags_extended = 0;
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
  // Of a split index: the checksum of the other file, sharedindex.<checksum>, that most of it lies in, and which of its
  // entries no longer hold (split_index.h).
  std::optional<git_oid> shared;
  std::string shared_bitmaps;
  bool remembers_resolutions = false;  // of conflicts
};

// nullopt when the file is not an index or contradicts itself. The checksum is not looked at. Of a split one, the
// whole, as far as it is there.
std::optional<IndexFile> read_index_file(const std::filesystem::path& path);
// The same for what one file holds.
std::optional<IndexFile> parse_index(std::string_view contents);
// The last 20 bytes are the SHA-1 of those before.
bool ends_with_checksum(std::string_view contents);

}  // namespace checkout
