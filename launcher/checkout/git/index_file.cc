#include "launcher/checkout/git/index_file.h"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "launcher/checkout/git/files.h"
#include "launcher/checkout/git/split_index.h"
#include "launcher/checkout/objects/id.h"
#include "launcher/checkout/objects/sha1.h"

// Format: gitformat-index(5). Versions 2 and 3 pad names with NUL to eight bytes; version 4 compresses them against
// the name before.

namespace checkout {
namespace {

constexpr std::size_t kEntryBytesMin = 62;

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  bool sound() const { return sound_; }
  std::size_t position() const { return position_; }
  std::size_t left() const { return bytes_.size() - position_; }

  std::string_view take(std::size_t size) {
    if (!sound_ || size > left()) {
      sound_ = false;
      return {};
    }
    const std::string_view taken = bytes_.substr(position_, size);
    position_ += size;
    return taken;
  }
  std::uint32_t number(std::size_t size) {
    std::uint32_t value = 0;
    for (const char c : take(size)) value = (value << 8) | static_cast<unsigned char>(c);
    return value;
  }
  git_oid id() {
    git_oid id{};
    const std::string_view raw = take(GIT_OID_RAWSZ);
    if (sound_) git_oid_fromraw(&id, reinterpret_cast<const unsigned char*>(raw.data()));
    return id;
  }
  std::string_view up_to(char end) {
    const std::size_t found = bytes_.find(end, position_);
    if (found == std::string_view::npos) {
      sound_ = false;
      return {};
    }
    const std::string_view taken = bytes_.substr(position_, found - position_);
    position_ = found + 1;
    return taken;
  }
  // The variable-width number of git's pack offsets.
  std::size_t offset_number() {
    std::size_t value = 0;
    for (int i = 0; i < 8; ++i) {
      const std::uint32_t byte = number(1);
      value = (value << 7) | (byte & 0x7f);
      if ((byte & 0x80) == 0) return value;
      ++value;
    }
    sound_ = false;
    return 0;
  }

 private:
  std::string_view bytes_;
  std::size_t position_ = 0;
  bool sound_ = true;
};

IndexEntry read_entry(Reader& reader, std::uint32_t version, const std::string& previous) {
  const std::size_t start = reader.position();
  IndexEntry entry;
  entry.changed_seconds = reader.number(4);
  entry.changed_nanoseconds = reader.number(4);
  entry.modified_seconds = reader.number(4);
  entry.modified_nanoseconds = reader.number(4);
  entry.device = reader.number(4);
  entry.inode = reader.number(4);
  entry.mode = reader.number(4);
  entry.owner = reader.number(4);
  entry.group = reader.number(4);
  entry.size = reader.number(4);
  entry.id = reader.id();
  entry.flags = static_cast<std::uint16_t>(reader.number(2));
  entry.stage = (entry.flags >> 12) & 3;
  if ((entry.flags & 0x4000) != 0) entry.flags_extended = static_cast<std::uint16_t>(reader.number(2));
  entry.skipped = (entry.flags & 0x8000) != 0 || (entry.flags_extended & 0x6000) != 0;
  if (version == 4) {
    const std::size_t dropped = reader.offset_number();
    const std::string_view suffix = reader.up_to('\0');
    if (dropped <= previous.size()) entry.path = previous.substr(0, previous.size() - dropped);
    entry.path += suffix;
    return entry;
  }
  entry.path = reader.up_to('\0');
  const std::size_t unpadded = reader.position() - start;
  (void)reader.take((8 - unpadded % 8) % 8);
  return entry;
}

// "path NUL entry-count SP subtree-count LF id", depth first; a negative count has no id.
void read_cached_trees(std::string_view bytes, IndexFile& index) {
  Reader reader(bytes);
  bool first = true;
  while (reader.sound() && reader.left() > 0) {
    (void)reader.up_to('\0');
    const std::string_view count = reader.up_to(' ');
    (void)reader.up_to('\n');
    if (!reader.sound()) return;
    if (!count.starts_with('-')) {
      const git_oid id = reader.id();
      if (!reader.sound()) return;
      index.cached_trees.push_back(id);
      if (first) index.tree = id;
    }
    first = false;
  }
}

}  // namespace

bool ends_with_checksum(std::string_view contents) {
  if (contents.size() < GIT_OID_RAWSZ) return false;
  const std::size_t covered = contents.size() - GIT_OID_RAWSZ;
  Sha1 hash;
  hash.add(contents.data(), covered);
  return same_id(hash.finish(), id_at(contents.data() + covered));
}

std::optional<IndexFile> read_index_file(const fs::path& path) {
  const auto contents = contents_of(path);
  auto index = contents ? parse_index(*contents) : std::nullopt;
  if (!index || !index->shared) return index;
  auto whole = join_split_index(path.parent_path(), *index);
  return whole ? whole : index;
}

std::optional<IndexFile> parse_index(std::string_view contents) {
  if (contents.size() < 12 + GIT_OID_RAWSZ) return std::nullopt;
  Reader reader(contents.substr(0, contents.size() - GIT_OID_RAWSZ));
  if (reader.take(4) != "DIRC") return std::nullopt;
  const std::uint32_t version = reader.number(4);
  const std::uint32_t count = reader.number(4);
  if (version < 2 || version > 4) return std::nullopt;
  IndexFile index;
  // A damaged count must not ask for all memory: no entry is smaller than this.
  index.entries.reserve(std::min<std::size_t>(count, contents.size() / kEntryBytesMin));
  std::string previous;
  bool nameless = false;
  for (std::uint32_t i = 0; i < count && reader.sound(); ++i) {
    IndexEntry entry = read_entry(reader, version, previous);
    nameless = nameless || entry.path.empty();
    if (version == 4) previous = entry.path;
    index.entries.push_back(std::move(entry));
  }
  while (reader.sound() && reader.left() > 0) {
    const std::string_view signature = reader.take(4);
    const std::string_view body = reader.take(reader.number(4));
    if (signature == "TREE" && reader.sound()) read_cached_trees(body, index);
    if (signature == "link" && body.size() >= GIT_OID_RAWSZ && !only_zero_bytes(body.substr(0, GIT_OID_RAWSZ))) {
      index.shared = id_at(body.data());
      index.shared_bitmaps = body.substr(GIT_OID_RAWSZ);
    }
    if (signature == "REUC" && !body.empty()) index.remembers_resolutions = true;
  }
  // In a split index an entry that replaces another one takes its name from there.
  if (!reader.sound() || (nameless && !index.shared)) return std::nullopt;
  return index;
}

}  // namespace checkout
