#include "launcher/checkout/git/split_index.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <string_view>
#include <vector>

#include "launcher/checkout/git/files.h"
#include "launcher/checkout/objects/id.h"
#include "launcher/checkout/objects/sha1.h"

// Format: gitformat-index(5), "Split index". After the checksum come two bitmaps over the shared file's entries: which
// are deleted, and which are replaced. Replacements are the first entries of .git/index, in that order, and nameless;
// what follows them is added. A bitmap is git's EWAH: a count of bits, a count of 64-bit words, the words, and the
// place of the last marker. A marker says how many words are all zeros or all ones, and how many come literally after
// it.

namespace checkout {
namespace {

class BigEndian {
 public:
  explicit BigEndian(std::string_view bytes) : bytes_(bytes) {}
  bool empty() const { return bytes_.empty(); }
  std::optional<std::uint64_t> take(std::size_t size) {
    if (bytes_.size() < size) return std::nullopt;
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i) value = value << 8 | static_cast<unsigned char>(bytes_[i]);
    bytes_.remove_prefix(size);
    return value;
  }

 private:
  std::string_view bytes_;
};

// The places of the bits that are set. Each is below `limit`, or it is not a bitmap of such a file.
std::optional<std::vector<std::size_t>> take_bitmap(BigEndian& bytes, std::size_t limit) {
  constexpr std::uint64_t kWordBits = 64;
  const auto bits = bytes.take(4);
  const auto words = bytes.take(4);
  if (!bits || !words) return std::nullopt;
  std::vector<std::size_t> places;
  std::uint64_t at = 0;
  std::uint64_t literals = 0;
  for (std::uint64_t i = 0; i < *words; ++i) {
    const auto word = bytes.take(8);
    if (!word || at > limit + kWordBits) return std::nullopt;
    if (literals > 0) {
      --literals;
      for (std::uint64_t left = *word; left != 0; left &= left - 1)
        places.push_back(at + static_cast<std::uint64_t>(std::countr_zero(left)));
      at += kWordBits;
      continue;
    }
    const std::uint64_t run = (*word >> 1 & 0xffffffffU) * kWordBits;
    literals = *word >> 33;
    if ((*word & 1) != 0 && at + run > limit + kWordBits) return std::nullopt;
    for (std::uint64_t bit = 0; (*word & 1) != 0 && bit < run; ++bit) places.push_back(at + bit);
    at += run;
  }
  std::erase_if(places, [&](std::size_t place) { return place >= *bits; });
  if (!bytes.take(4) || literals != 0 || (!places.empty() && places.back() >= limit)) return std::nullopt;
  return places;
}

bool in_order(const IndexEntry& left, const IndexEntry& right) {
  return left.path != right.path ? left.path < right.path : left.stage < right.stage;
}

bool same_place(const IndexEntry& left, const IndexEntry& right) {
  return left.path == right.path && left.stage == right.stage;
}

}  // namespace

std::optional<IndexFile> join_split_index(const fs::path& git_folder, const IndexFile& split) {
  const auto contents =
      split.shared ? contents_of(git_folder / ("sharedindex." + hex_of(*split.shared))) : std::nullopt;
  if (!contents || !ends_with_checksum(*contents) ||
      !same_id(id_at(contents->data() + contents->size() - GIT_OID_RAWSZ), *split.shared)) {
    return std::nullopt;
  }
  const auto shared = parse_index(*contents);
  if (!shared || shared->shared) return std::nullopt;
  std::vector<IndexEntry> entries = shared->entries;
  std::vector<std::size_t> deleted;
  std::size_t used = 0;
  if (BigEndian bitmaps(split.shared_bitmaps); !bitmaps.empty()) {
    auto gone = take_bitmap(bitmaps, entries.size());
    const auto replaced = gone ? take_bitmap(bitmaps, entries.size()) : std::nullopt;
    if (!replaced || replaced->size() > split.entries.size()) return std::nullopt;
    deleted = std::move(*gone);
    for (const std::size_t place : *replaced) {
      IndexEntry entry = split.entries[used++];
      if (!entry.path.empty()) return std::nullopt;
      entry.path = entries[place].path;
      entries[place] = std::move(entry);
    }
  }
  for (auto place = deleted.rbegin(); place != deleted.rend(); ++place)
    entries.erase(entries.begin() + static_cast<std::ptrdiff_t>(*place));
  // What is added comes first where there are two of one name, and so stays.
  entries.insert(entries.begin(), split.entries.begin() + static_cast<std::ptrdiff_t>(used), split.entries.end());
  std::stable_sort(entries.begin(), entries.end(), in_order);
  entries.erase(std::unique(entries.begin(), entries.end(), same_place), entries.end());
  if (!entries.empty() && entries.front().path.empty()) return std::nullopt;
  IndexFile whole = split;
  whole.entries = std::move(entries);
  return whole;
}

std::string format_index(const std::vector<IndexEntry>& entries) {
  std::string bytes = "DIRC";
  const auto put = [&](std::uint64_t value, int size) {
    for (int i = size - 1; i >= 0; --i) bytes += static_cast<char>(value >> 8 * i & 0xff);
  };
  const bool extended =
      std::any_of(entries.begin(), entries.end(), [](const IndexEntry& entry) { return entry.flags_extended != 0; });
  put(extended ? 3 : 2, 4);
  put(entries.size(), 4);
  for (const IndexEntry& entry : entries) {
    const std::size_t start = bytes.size();
    for (const std::uint32_t value :
         {entry.changed_seconds, entry.changed_nanoseconds, entry.modified_seconds, entry.modified_nanoseconds,
          entry.device, entry.inode, entry.mode, entry.owner, entry.group, entry.size}) {
      put(value, 4);
    }
    bytes.append(reinterpret_cast<const char*>(entry.id.id), GIT_OID_RAWSZ);
    const unsigned length = static_cast<unsigned>(std::min<std::size_t>(entry.path.size(), 0xfff));
    const unsigned flags = (entry.flags & 0xb000U) | (entry.flags_extended != 0 ? 0x4000U : 0U) | length;
    put(flags, 2);
    if (entry.flags_extended != 0) put(entry.flags_extended, 2);
    bytes += entry.path;
    do bytes += '\0';
    while ((bytes.size() - start) % 8 != 0);
  }
  Sha1 hash;
  hash.add(bytes.data(), bytes.size());
  const git_oid sum = hash.finish();
  return bytes.append(reinterpret_cast<const char*>(sum.id), GIT_OID_RAWSZ);
}

}  // namespace checkout
