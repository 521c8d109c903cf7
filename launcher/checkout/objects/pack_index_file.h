// A pack's index (.idx), version 2, searched where it lies.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "launcher/checkout/objects/file_bytes.h"
#include "launcher/checkout/objects/id.h"

namespace checkout {

class PackIndexFile {
 public:
  // nullopt when its structure contradicts itself. Nothing is hashed. Version 1 is not read: nothing has written it
  // since 2007, and indexing the pack again replaces it.
  static std::optional<PackIndexFile> open(const std::filesystem::path& path);

  std::size_t size() const { return count_; }
  git_oid id(std::size_t place) const { return id_at(names_ + place * GIT_OID_RAWSZ); }
  // In the pack. nullopt when the index is damaged there.
  std::optional<std::uint64_t> offset(std::size_t place) const;
  std::optional<std::size_t> find(const git_oid& id) const;
  // What the pack's last 20 bytes should be.
  git_oid pack_checksum() const;

 private:
  // Small ones are read, so that no read error can hit later; it stays where it is when this object moves.
  std::unique_ptr<const std::string> contents_;
  Mapping mapping_;
  std::string_view bytes_;
  std::size_t count_ = 0;
  const char* names_ = nullptr;
  const char* small_offsets_ = nullptr;
  const char* large_offsets_ = nullptr;
  std::size_t large_bytes_ = 0;
};

}  // namespace checkout
