// The files of an object database, looked at one by one: packs, their indexes and caches. Loose ones: objects/loose.h.
#pragma once

#include <git2/oid.h>
#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "launcher/checkout/objects/loose.h"
#include "launcher/checkout/objects/store.h"

namespace checkout {

struct PackFiles {
  std::filesystem::path pack;  // these name the files whether they exist or not
  std::filesystem::path index;
  bool has_pack = false;
  bool has_index = false;
};
std::vector<PackFiles> packs_of(const std::filesystem::path& git_folder);

struct PackIndex {
  std::vector<git_oid> ids;            // sorted
  std::vector<std::uint64_t> offsets;  // in the pack, in the order of the ids
  git_oid pack_checksum;               // what the pack's last 20 bytes should be
};
// nullopt when its structure contradicts itself. Nothing is hashed.
std::optional<PackIndex> read_pack_index(const std::filesystem::path& path);

// The header says "PACK", version 2 or 3, and the last 20 bytes are `checksum`.
bool pack_ends_as_expected(const std::filesystem::path& pack, const git_oid& checksum);

// The SHA-1 of everything but the last 20 bytes equals the last 20 bytes: packs, their indexes, the index,
// commit-graph and multi-pack-index all end so. A disk cannot damage such a file without this being noticed.
bool checksum_matches(const std::filesystem::path& path);

// One chunk of a commit-graph or multi-pack-index, whose name has four letters; empty when there is none.
std::string chunk_of(std::string_view file, std::string_view chunk);

// SHA-1 of a file as the blob that git would store without any filter; nullopt when it cannot be read.
std::optional<git_oid> raw_blob_id(const std::filesystem::path& path);
// The same for what `path` names from `folder`, where `found` was just seen.
std::optional<git_oid> raw_blob_id(int folder, const char* path, const struct stat& found);

struct OpenedBlob {
  struct stat found;
  git_oid id;
};
// Both at once, for a regular file; nullopt for anything else, and what cannot be read.
std::optional<OpenedBlob> open_blob(int folder, const char* path);

// Every object the database has a file or an index entry for, alternates included.
IdSet all_object_ids(const std::filesystem::path& git_folder);

}  // namespace checkout
