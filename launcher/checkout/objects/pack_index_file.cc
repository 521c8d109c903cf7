// Format: gitformat-pack(5). A table of 256 counts by first byte, the sorted ids, a CRC each, an offset each, a table
// for offsets beyond 31 bits, the pack's checksum and the file's own.
#include "launcher/checkout/objects/pack_index_file.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/unique_fd.h"

namespace checkout {
namespace {

constexpr std::size_t kIdBytes = GIT_OID_RAWSZ;
constexpr std::size_t kTableBytes = 256 * 4;
constexpr std::size_t kFixedBytes = 8 + kTableBytes + 2 * kIdBytes;
constexpr std::size_t kReadBytesMax = std::size_t{16} << 20;

std::uint32_t big_endian(const char* bytes) {
  std::uint32_t value;
  std::memcpy(&value, bytes, sizeof value);
  return ntohl(value);
}

}  // namespace

std::optional<PackIndexFile> PackIndexFile::open(const std::filesystem::path& path) {
  PackIndexFile index;
  const base::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat found;
  if (!fd.valid() || ::fstat(fd.get(), &found) != 0 || !S_ISREG(found.st_mode)) return std::nullopt;
  if (static_cast<std::size_t>(found.st_size) > kReadBytesMax) {
    index.mapping_ = Mapping(fd.get(), static_cast<std::size_t>(found.st_size));
    index.bytes_ = index.mapping_.view();
  } else if (auto contents = read_whole(path)) {
    index.contents_ = std::make_unique<const std::string>(std::move(*contents));
    index.bytes_ = *index.contents_;
  }
  const std::string_view bytes = index.bytes_;
  if (bytes.size() < kFixedBytes) return std::nullopt;
  if (std::memcmp(bytes.data(), "\377tOc", 4) != 0 || big_endian(bytes.data() + 4) != 2) return std::nullopt;
  std::uint32_t count = 0;
  for (std::size_t i = 0; i < 256; ++i) {
    const std::uint32_t up_to_here = big_endian(bytes.data() + 8 + i * 4);
    if (up_to_here < count) return std::nullopt;
    count = up_to_here;
  }
  index.count_ = count;
  if (bytes.size() < kFixedBytes + index.count_ * (kIdBytes + 8)) return std::nullopt;
  index.large_bytes_ = bytes.size() - kFixedBytes - index.count_ * (kIdBytes + 8);
  index.names_ = bytes.data() + 8 + kTableBytes;
  index.small_offsets_ = index.names_ + index.count_ * (kIdBytes + 4);
  index.large_offsets_ = index.small_offsets_ + index.count_ * 4;
  return index;
}

std::optional<std::uint64_t> PackIndexFile::offset(std::size_t place) const {
  const std::uint32_t small = big_endian(small_offsets_ + place * 4);
  if ((small & 0x80000000U) == 0) return small;
  const std::size_t row = std::size_t{small & 0x7fffffffU} * 8;
  if (row + 8 > large_bytes_) return std::nullopt;
  return (std::uint64_t{big_endian(large_offsets_ + row)} << 32) | big_endian(large_offsets_ + row + 4);
}

std::optional<std::size_t> PackIndexFile::find(const git_oid& id) const {
  const char* table = bytes_.data() + 8;
  const std::size_t first = id.id[0];
  std::size_t low = first == 0 ? 0 : big_endian(table + (first - 1) * 4);
  std::size_t high = big_endian(table + first * 4);
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    const int order = std::memcmp(names_ + middle * kIdBytes, id.id, kIdBytes);
    if (order == 0) return middle;
    if (order < 0) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return std::nullopt;
}

git_oid PackIndexFile::pack_checksum() const {
  return id_at(bytes_.data() + bytes_.size() - 2 * kIdBytes);
}

}  // namespace checkout
