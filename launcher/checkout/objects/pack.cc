// Format: gitformat-pack(5). An entry is a type and size in a variable-width number, for deltas the place or id of
// their base, and one zlib stream.
//
// A delta's base is mostly a delta itself. Reading goes down the chain to the first object that is whole or known, and
// applies the deltas on the way back; what is made on the way is kept, for the next object of the same file's history.
#include "launcher/checkout/objects/pack.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace checkout {
namespace {

constexpr std::size_t kSlots = 4096;
constexpr std::size_t kKeptBytesMax = std::size_t{48} << 20;       // a thread
constexpr std::size_t kKeptObjectBytesMax = std::size_t{8} << 20;  // larger ones would drive out all others
constexpr std::size_t kChainMax = 4096;                            // git itself makes no chain longer than that
constexpr std::size_t kObjectBytesMax = std::size_t{4} << 30;      // a damaged size must not ask for all memory
constexpr std::size_t kEntryHeaderBytesMax = 64;

constexpr int kOffsetDelta = 6;
constexpr int kIdDelta = 7;

// No zlib stream of so many bytes is longer than this, whatever its settings.
std::size_t stream_bytes_max(std::size_t size) {
  return size + size / 8 + size / 64 + 64;
}

// How far before the entry its base lies; moves `at` past the number.
std::optional<std::uint64_t> read_distance(std::string_view bytes, std::size_t& at) {
  std::uint64_t value = 0;
  for (int i = 0; i < 9 && at < bytes.size(); ++i) {
    const auto byte = static_cast<unsigned char>(bytes[at++]);
    value = (value << 7) | (byte & 0x7f);
    if ((byte & 0x80) == 0) return value;
    ++value;
  }
  return std::nullopt;
}

}  // namespace

std::size_t Decoder::slot_of(std::uint64_t offset) {
  return static_cast<std::size_t>((offset * 0x9e3779b97f4a7c15U) >> 52) % kSlots;
}

ObjectPointer Decoder::find(const Pack& pack, std::uint64_t offset) const {
  if (slots_.empty()) return nullptr;
  const Slot& slot = slots_[slot_of(offset)];
  return slot.pack == &pack && slot.offset == offset ? slot.object : nullptr;
}

void Decoder::make_room(std::size_t bytes) {
  while (kept_bytes_ + bytes > kKeptBytesMax) {
    Slot& slot = slots_[next_to_drop_++ % kSlots];
    if (slot.object != nullptr) kept_bytes_ -= slot.object->bytes.size();
    slot = {};
  }
}

void Decoder::keep(const Pack& pack, std::uint64_t offset, const ObjectPointer& object) {
  if (object->bytes.size() > kKeptObjectBytesMax) return;
  if (slots_.empty()) slots_.resize(kSlots);
  make_room(object->bytes.size());
  Slot& slot = slots_[slot_of(offset)];
  if (slot.object != nullptr) kept_bytes_ -= slot.object->bytes.size();
  slot = {&pack, offset, object};
  kept_bytes_ += object->bytes.size();
}

std::optional<Pack> Pack::open(const std::filesystem::path& path) {
  Pack pack;
  pack.fd_ = base::UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat found;
  if (!pack.fd_.valid() || ::fstat(pack.fd_.get(), &found) != 0 || !S_ISREG(found.st_mode)) return std::nullopt;
  pack.size_ = static_cast<std::uint64_t>(found.st_size);
  if (pack.size_ < 12 + GIT_OID_RAWSZ) return std::nullopt;
  return pack;
}

void Pack::map() {
  if (mapping_.view().empty()) mapping_ = Mapping(fd_.get(), static_cast<std::size_t>(size_));
}

std::string_view Pack::bytes_at(std::uint64_t offset, std::size_t wanted, std::string& scratch) const {
  if (offset >= size_) return {};
  wanted = static_cast<std::size_t>(std::min<std::uint64_t>(wanted, size_ - offset));
  if (const std::string_view mapped = mapping_.view(); !mapped.empty()) {
    return mapped.substr(static_cast<std::size_t>(offset), wanted);
  }
  scratch.resize(wanted);
  std::size_t filled = 0;
  while (filled < wanted) {
    const ssize_t got =
        ::pread(fd_.get(), scratch.data() + filled, wanted - filled, static_cast<off_t>(offset + filled));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    filled += static_cast<std::size_t>(got);
  }
  return std::string_view(scratch).substr(0, filled);
}

std::optional<EntryHeader> Pack::header_at(std::uint64_t offset) const {
  std::string scratch;
  const std::string_view bytes = bytes_at(offset, kEntryHeaderBytesMax, scratch);
  if (bytes.empty()) return std::nullopt;
  std::size_t at = 0;
  auto byte = static_cast<unsigned char>(bytes[at++]);
  EntryHeader header;
  header.type = (byte >> 4) & 7;
  header.size = byte & 15;
  for (unsigned shift = 4; (byte & 0x80) != 0; shift += 7) {
    if (at >= bytes.size() || shift > 56) return std::nullopt;
    byte = static_cast<unsigned char>(bytes[at++]);
    header.size |= static_cast<std::size_t>(byte & 0x7f) << shift;
  }
  if (header.size > kObjectBytesMax) return std::nullopt;
  if (header.type == kOffsetDelta) {
    const auto distance = read_distance(bytes, at);
    if (!distance || *distance == 0 || *distance > offset) return std::nullopt;
    header.base_offset = offset - *distance;
  } else if (header.type == kIdDelta) {
    if (at + GIT_OID_RAWSZ > bytes.size()) return std::nullopt;
    header.base_id = id_at(bytes.data() + at);
    at += GIT_OID_RAWSZ;
  } else if (header.type < GIT_OBJECT_COMMIT || header.type > GIT_OBJECT_TAG) {
    return std::nullopt;
  }
  header.body = offset + at;
  return header;
}

std::optional<std::string> Pack::inflate(const EntryHeader& header, Inflater& inflater) const {
  std::string scratch;
  const std::string_view stream = bytes_at(header.body, stream_bytes_max(header.size), scratch);
  std::string contents(header.size, '\0');
  if (!inflater.inflate(stream, contents.data(), contents.size())) return std::nullopt;
  return contents;
}

ObjectPointer Pack::read(std::uint64_t offset, Decoder& decoder, const PackIndexFile* index,
                         const Lookup& elsewhere) const {
  std::vector<std::pair<std::uint64_t, std::string>> deltas;
  ObjectPointer object;
  for (std::uint64_t at = offset; object == nullptr;) {
    object = decoder.find(*this, at);
    if (object != nullptr) break;
    const auto header = header_at(at);
    auto contents = header ? inflate(*header, decoder.inflater()) : std::nullopt;
    if (!contents) return nullptr;
    if (header->type != kOffsetDelta && header->type != kIdDelta) {
      object = std::make_shared<ObjectData>(ObjectData{static_cast<git_object_t>(header->type), std::move(*contents)});
      decoder.keep(*this, at, object);
      break;
    }
    if (deltas.size() >= kChainMax) return nullptr;
    deltas.emplace_back(at, std::move(*contents));
    const auto place = header->base_id && index != nullptr ? index->find(*header->base_id) : std::nullopt;
    const auto base_offset = place ? index->offset(*place) : header->base_offset;
    if (base_offset) {
      at = *base_offset;
    } else {
      object = elsewhere ? elsewhere(*header->base_id) : nullptr;
      if (object == nullptr) return nullptr;
    }
  }
  for (; !deltas.empty(); deltas.pop_back()) {
    auto bytes = apply_delta(object->bytes, deltas.back().second);
    if (!bytes) return nullptr;
    object = std::make_shared<ObjectData>(ObjectData{object->type, std::move(*bytes)});
    decoder.keep(*this, deltas.back().first, object);
  }
  return object;
}

}  // namespace checkout
