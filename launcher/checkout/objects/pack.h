// A pack read object by object, from many threads at once.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "launcher/checkout/objects/file_bytes.h"
#include "launcher/checkout/objects/inflate.h"
#include "launcher/checkout/objects/object.h"
#include "launcher/checkout/objects/pack_index_file.h"

namespace checkout {

class Pack;

// What one thread needs to read from packs: an inflater, and the objects it read last, since most are deltas of one
// another. Not shared between threads.
class Decoder {
 public:
  Inflater& inflater() { return inflater_; }
  ObjectPointer find(const Pack& pack, std::uint64_t offset) const;
  void keep(const Pack& pack, std::uint64_t offset, const ObjectPointer& object);

 private:
  struct Slot {
    const Pack* pack = nullptr;
    std::uint64_t offset = 0;
    ObjectPointer object;
  };
  static std::size_t slot_of(std::uint64_t offset);
  void make_room(std::size_t bytes);

  Inflater inflater_;
  std::vector<Slot> slots_;
  std::size_t kept_bytes_ = 0;
  std::size_t next_to_drop_ = 0;
};

struct EntryHeader {
  int type = 0;  // of git_object_t, or one of the two delta types
  std::size_t size = 0;
  std::uint64_t body = 0;                    // where the zlib stream begins
  std::optional<std::uint64_t> base_offset;  // of a delta
  std::optional<git_oid> base_id;
};

class Pack {
 public:
  using Lookup = std::function<ObjectPointer(const git_oid&)>;

  // nullopt when it is no regular file, or too short. Nothing else is looked at.
  static std::optional<Pack> open(const std::filesystem::path& path);

  // For reading much of it, after it was read through once: see Mapping.
  void map();

  std::uint64_t size() const { return size_; }
  std::optional<EntryHeader> header_at(std::uint64_t offset) const;
  // The object that begins there. `index` and `elsewhere` find bases that a delta names by id.
  ObjectPointer read(std::uint64_t offset, Decoder& decoder, const PackIndexFile* index, const Lookup& elsewhere) const;
  // The contents of one entry as it is stored, a delta included.
  std::optional<std::string> inflate(const EntryHeader& header, Inflater& inflater) const;

 private:
  // At most `wanted` bytes from `offset` on; less at the end of the file and where it cannot be read.
  std::string_view bytes_at(std::uint64_t offset, std::size_t wanted, std::string& scratch) const;

  base::UniqueFd fd_;
  std::uint64_t size_ = 0;
  Mapping mapping_;
};

}  // namespace checkout
