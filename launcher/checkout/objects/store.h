// An object database: its packs with their indexes, its loose objects, and those of its alternates. Read without
// libgit2, which believes much, never returns from a loose object that is cut off, and takes longer to start than a
// survey takes to end.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "launcher/checkout/objects/object.h"
#include "launcher/checkout/objects/pack.h"
#include "launcher/checkout/objects/pack_index_file.h"

namespace checkout {

struct StoredPack {
  std::filesystem::path path;
  PackIndexFile index;
  Pack pack;
};

class ObjectStore {
 public:
  // Packs that have no usable index, or are none, are left out: to git, too, their objects are not there.
  static ObjectStore open(const std::filesystem::path& git_folder);

  // These may be called from many threads, each with a decoder of its own.
  bool has(const git_oid& id) const;
  // nullptr when it is missing or damaged; what comes back has the right hash.
  ObjectPointer read(const git_oid& id, Decoder& decoder) const;
  // Without reading all of a packed object.
  std::optional<git_object_t> type_of(const git_oid& id, Decoder& decoder) const;

  const std::vector<std::unique_ptr<StoredPack>>& packs() const { return packs_; }
  ObjectPointer read_packed(const StoredPack& from, std::uint64_t offset, Decoder& decoder) const;

 private:
  std::optional<std::filesystem::path> loose_path(const git_oid& id) const;

  std::vector<std::filesystem::path> folders_;  // "…/objects", the repository's own first
  std::vector<std::unique_ptr<StoredPack>> packs_;
};

// Paths in objects/info/alternates, made absolute.
std::vector<std::filesystem::path> alternates_of(const std::filesystem::path& git_folder);

}  // namespace checkout
