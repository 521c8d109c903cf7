// Format: gitformat-pack(5). An entry is a type and size in a variable-width number, for deltas the place or id of
// their base, and one zlib stream. A delta is a list of "copy this range of the base" and "insert these bytes".
#include "launcher/checkout/git/pack_reader.h"

#include <git2.h>
#include <zlib.h>

#include <algorithm>

namespace checkout {
namespace {

constexpr std::size_t kHeaderBytes = 12;
constexpr std::size_t kTrailerBytes = GIT_OID_RAWSZ;
constexpr int kDepthMax = 4096;                                // git itself makes no chain longer than that
constexpr std::size_t kObjectBytesMax = std::size_t{4} << 30;  // a damaged size must not ask for all memory

constexpr int kOffsetDelta = 6;
constexpr int kIdDelta = 7;

struct EntryHeader {
  int type = 0;
  std::size_t size = 0;
  std::size_t body = 0;  // where what follows begins
};

std::optional<EntryHeader> read_header(std::string_view pack, std::size_t offset) {
  if (offset >= pack.size()) return std::nullopt;
  unsigned char byte = static_cast<unsigned char>(pack[offset++]);
  EntryHeader header;
  header.type = (byte >> 4) & 7;
  header.size = byte & 15;
  for (unsigned shift = 4; (byte & 0x80) != 0; shift += 7) {
    if (offset >= pack.size() || shift > 56) return std::nullopt;
    byte = static_cast<unsigned char>(pack[offset++]);
    header.size |= static_cast<std::size_t>(byte & 0x7f) << shift;
  }
  header.body = offset;
  return header;
}

// How far before the entry its base lies; moves `offset` past the number.
std::optional<std::size_t> read_distance(std::string_view pack, std::size_t& offset) {
  std::size_t value = 0;
  for (int i = 0; i < 9 && offset < pack.size(); ++i) {
    const auto byte = static_cast<unsigned char>(pack[offset++]);
    value = (value << 7) | (byte & 0x7f);
    if ((byte & 0x80) == 0) return value;
    ++value;
  }
  return std::nullopt;
}

}  // namespace

PackReader::PackReader(std::string contents, const std::optional<PackIndex>& index, Lookup elsewhere)
    : contents_(std::move(contents)), elsewhere_(std::move(elsewhere)) {
  if (!index) return;
  for (std::size_t i = 0; i < index->ids.size() && i < index->offsets.size(); ++i) {
    by_offset_.emplace_back(index->offsets[i], index->ids[i]);
    offsets_[index->ids[i]] = index->offsets[i];
  }
  std::sort(by_offset_.begin(), by_offset_.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
}

std::optional<std::string> PackReader::inflate_at(std::size_t offset, std::size_t size, std::size_t& end) const {
  if (offset >= contents_.size() || size > kObjectBytesMax) return std::nullopt;
  z_stream stream{};
  if (inflateInit(&stream) != Z_OK) return std::nullopt;
  std::string result;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(contents_.data() + offset));
  stream.avail_in = static_cast<uInt>(std::min<std::size_t>(contents_.size() - offset, 1U << 30));
  const std::size_t available = stream.avail_in;
  int code = Z_OK;
  std::string chunk(64 * 1024, '\0');
  while (code == Z_OK && result.size() <= size) {
    stream.next_out = reinterpret_cast<Bytef*>(chunk.data());
    stream.avail_out = static_cast<uInt>(chunk.size());
    code = inflate(&stream, Z_NO_FLUSH);
    result.append(chunk.data(), chunk.size() - stream.avail_out);
  }
  end = offset + (available - stream.avail_in);
  inflateEnd(&stream);
  if (code != Z_STREAM_END || result.size() != size) return std::nullopt;
  return result;
}

std::optional<ObjectData> PackReader::base_by_id(const git_oid& id, int depth) {
  if (const auto found = offsets_.find(id); found != offsets_.end()) {
    if (auto entry = read_at(found->second, depth + 1)) return std::move(entry->data);
  }
  return elsewhere_(id);
}

std::optional<PackReader::Entry> PackReader::read_at(std::size_t offset, int depth) {
  if (depth > kDepthMax) return std::nullopt;
  const auto header = read_header(contents_, offset);
  if (!header) return std::nullopt;
  std::size_t body = header->body;
  std::optional<ObjectData> base;
  std::size_t base_offset = 0;
  git_oid base_id{};
  if (header->type == kOffsetDelta) {
    const auto distance = read_distance(contents_, body);
    if (!distance || *distance == 0 || *distance > offset) return std::nullopt;
    base_offset = offset - *distance;
  } else if (header->type == kIdDelta) {
    if (body + GIT_OID_RAWSZ > contents_.size()) return std::nullopt;
    git_oid_fromraw(&base_id, reinterpret_cast<const unsigned char*>(contents_.data()) + body);
    body += GIT_OID_RAWSZ;
  } else if (header->type < GIT_OBJECT_COMMIT || header->type > GIT_OBJECT_TAG) {
    return std::nullopt;
  }
  Entry entry;
  auto bytes = inflate_at(body, header->size, entry.end);
  if (!bytes) return std::nullopt;
  if (header->type != kOffsetDelta && header->type != kIdDelta) {
    entry.data = {static_cast<git_object_t>(header->type), std::move(*bytes)};
    return entry;
  }
  if (header->type == kIdDelta) {
    base = base_by_id(base_id, depth);
  } else if (auto found = read_at(base_offset, depth + 1)) {
    base = std::move(found->data);
  }
  if (!base) return std::nullopt;
  auto result = apply_delta(base->bytes, *bytes);
  if (!result) return std::nullopt;
  entry.data = {base->type, std::move(*result)};
  return entry;
}

void PackReader::for_each(const std::function<void(const git_oid&, const ObjectData&)>& use) {
  if (!by_offset_.empty()) {
    for (const auto& [offset, id] : by_offset_) {
      const auto entry = read_at(offset, 0);
      if (!entry) continue;
      const git_oid found = id_of_object(entry->data);
      if (git_oid_equal(&found, &id) != 0) use(id, entry->data);
    }
    return;
  }
  std::size_t offset = kHeaderBytes;
  while (offset + kTrailerBytes < contents_.size()) {
    const auto entry = read_at(offset, 0);
    if (!entry) return;
    const git_oid id = id_of_object(entry->data);
    offsets_[id] = offset;
    use(id, entry->data);
    offset = entry->end;
  }
}

}  // namespace checkout
