// The files of an object database, looked at one by one: loose objects, packs and their indexes.
#pragma once

#include <git2/oid.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace checkout {

struct IdHash {
  std::size_t operator()(const git_oid& id) const;
};
struct IdEqual {
  bool operator()(const git_oid& a, const git_oid& b) const { return git_oid_equal(&a, &b) != 0; }
};
using IdSet = std::unordered_set<git_oid, IdHash, IdEqual>;

struct LooseFile {
  std::filesystem::path path;
  std::optional<git_oid> id;  // nullopt: not an object's name (tmp_obj_…)
};
// Everything in objects/00 … objects/ff, folders included.
std::vector<LooseFile> loose_files(const std::filesystem::path& git_folder);

// Inflates the file and compares the hash of its contents with its name.
bool loose_object_is_sound(const std::filesystem::path& path, const git_oid& id);

struct LooseObject {
  std::string type;  // "blob", "tree", "commit", "tag"
  std::string bytes;
};
// nullopt unless the whole file is sound.
std::optional<LooseObject> read_loose_object(const std::filesystem::path& path, const git_oid& id);

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

// Every object the database has a file or an index entry for, alternates included.
IdSet all_object_ids(const std::filesystem::path& git_folder);

// Paths in objects/info/alternates, made absolute.
std::vector<std::filesystem::path> alternates_of(const std::filesystem::path& git_folder);

}  // namespace checkout
