#include "launcher/checkout/git/object_files.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <map>

#include "base/unique_fd.h"
#include "launcher/checkout/git/files.h"
#include "launcher/checkout/objects/sha1.h"

namespace checkout {
namespace {

constexpr std::size_t kIdBytes = GIT_OID_RAWSZ;
constexpr std::size_t kChunkBytes = 64 * 1024;

base::UniqueFd open_for_reading(const fs::path& path) {
  return base::UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
}

std::optional<std::size_t> size_of_regular(int fd) {
  struct stat found;
  if (fd < 0 || ::fstat(fd, &found) != 0 || !S_ISREG(found.st_mode)) return std::nullopt;
  return static_cast<std::size_t>(found.st_size);
}

// Reads up to `size` bytes; short only at the end of the file or on an error.
std::size_t read_some(int fd, char* into, std::size_t size) {
  std::size_t filled = 0;
  while (filled < size) {
    const ssize_t got = ::read(fd, into + filled, size - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    filled += static_cast<std::size_t>(got);
  }
  return filled;
}

std::uint32_t big_endian(const char* bytes) {
  std::uint32_t value;
  std::memcpy(&value, bytes, sizeof value);
  return ntohl(value);
}

}  // namespace

std::vector<PackFiles> packs_of(const fs::path& git_folder) {
  std::map<std::string, PackFiles> by_stem;
  const fs::path folder = git_folder / "objects" / "pack";
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const fs::path& path = entry->path();
    const std::string extension = path.extension().string();
    if (!path.filename().string().starts_with("pack-") || (extension != ".pack" && extension != ".idx")) continue;
    PackFiles& files = by_stem[path.stem()];
    files.pack = folder / (path.stem().string() + ".pack");
    files.index = folder / (path.stem().string() + ".idx");
    (extension == ".pack" ? files.has_pack : files.has_index) = true;
  }
  std::vector<PackFiles> packs;
  for (auto& [stem, files] : by_stem) packs.push_back(std::move(files));
  return packs;
}

std::optional<PackIndex> read_pack_index(const fs::path& path) {
  const auto file = PackIndexFile::open(path);
  if (!file) return std::nullopt;
  PackIndex index;
  index.ids.reserve(file->size());
  index.offsets.reserve(file->size());
  for (std::size_t i = 0; i < file->size(); ++i) {
    const auto offset = file->offset(i);
    if (!offset) return std::nullopt;
    index.ids.push_back(file->id(i));
    index.offsets.push_back(*offset);
  }
  index.pack_checksum = file->pack_checksum();
  return index;
}

bool pack_ends_as_expected(const fs::path& pack, const git_oid& checksum) {
  const base::UniqueFd fd = open_for_reading(pack);
  const auto size = size_of_regular(fd.get());
  if (!size || *size < 12 + kIdBytes) return false;
  std::array<char, 12> header;
  if (read_some(fd.get(), header.data(), header.size()) != header.size()) return false;
  const std::uint32_t version = big_endian(header.data() + 4);
  if (std::memcmp(header.data(), "PACK", 4) != 0 || (version != 2 && version != 3)) return false;
  std::array<char, kIdBytes> last;
  if (::lseek(fd.get(), static_cast<off_t>(*size - kIdBytes), SEEK_SET) < 0) return false;
  if (read_some(fd.get(), last.data(), last.size()) != last.size()) return false;
  return std::memcmp(last.data(), checksum.id, kIdBytes) == 0;
}

bool checksum_matches(const fs::path& path) {
  const base::UniqueFd fd = open_for_reading(path);
  const auto size = size_of_regular(fd.get());
  if (!size || *size < kIdBytes) return false;
  Sha1 hash;
  std::array<char, kChunkBytes> chunk;
  std::size_t left = *size - kIdBytes;
  while (left > 0) {
    const std::size_t got = read_some(fd.get(), chunk.data(), std::min(left, chunk.size()));
    if (got == 0) return false;
    hash.add(chunk.data(), got);
    left -= got;
  }
  std::array<char, kIdBytes> last;
  if (read_some(fd.get(), last.data(), last.size()) != last.size()) return false;
  const git_oid found = hash.finish();
  return std::memcmp(last.data(), found.id, kIdBytes) == 0;
}

// A table of 12-byte rows follows the header: the name and where the chunk begins; the last row tells where it ends.
std::string chunk_of(std::string_view file, std::string_view chunk) {
  const std::size_t header = file.starts_with("MIDX") ? 12 : 8;
  for (std::size_t row = header; row + 24 <= file.size(); row += 12) {
    const auto offset = [&](std::size_t at) {
      return static_cast<std::size_t>((std::uint64_t{big_endian(file.data() + at + 4)} << 32) |
                                      big_endian(file.data() + at + 8));
    };
    const std::string_view name = file.substr(row, 4);
    if (name == std::string_view("\0\0\0\0", 4)) break;
    if (name != chunk) continue;
    const std::size_t begin = offset(row);
    const std::size_t end = offset(row + 12);
    if (begin > end || end > file.size()) return {};
    return std::string(file.substr(begin, end - begin));
  }
  return {};
}

namespace {

std::optional<git_oid> link_blob_id(int folder, const char* path) {
  std::array<char, PATH_MAX> target;
  const ssize_t size = ::readlinkat(folder, path, target.data(), target.size());
  if (size < 0) return std::nullopt;
  Sha1 hash;
  const std::string header = fmt::format("blob {}", size);
  hash.add(header.c_str(), header.size() + 1);
  hash.add(target.data(), static_cast<std::size_t>(size));
  return hash.finish();
}

std::optional<git_oid> blob_id_of_open(int fd, std::size_t size) {
  Sha1 hash;
  const std::string header = fmt::format("blob {}", size);
  hash.add(header.c_str(), header.size() + 1);
  thread_local std::array<char, kChunkBytes> chunk;
  std::size_t total = 0;
  for (;;) {
    const ssize_t got = ::read(fd, chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::nullopt;
    hash.add(chunk.data(), static_cast<std::size_t>(got));
    total += static_cast<std::size_t>(got);
    // A regular file gives less than it was asked for at its end only: no need to ask again.
    if (static_cast<std::size_t>(got) < chunk.size()) break;
  }
  if (total != size) return std::nullopt;
  return hash.finish();
}

}  // namespace

std::optional<git_oid> raw_blob_id(int folder, const char* path, const struct stat& found) {
  if (S_ISLNK(found.st_mode)) return link_blob_id(folder, path);
  if (!S_ISREG(found.st_mode)) return std::nullopt;
  const base::UniqueFd fd(::openat(folder, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd.valid()) return std::nullopt;
  return blob_id_of_open(fd.get(), static_cast<std::size_t>(found.st_size));
}

std::optional<OpenedBlob> open_blob(int folder, const char* path) {
  const base::UniqueFd fd(::openat(folder, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  OpenedBlob blob;
  if (!fd.valid() || ::fstat(fd.get(), &blob.found) != 0 || !S_ISREG(blob.found.st_mode)) return std::nullopt;
  const auto id = blob_id_of_open(fd.get(), static_cast<std::size_t>(blob.found.st_size));
  if (!id) return std::nullopt;
  blob.id = *id;
  return blob;
}

std::optional<git_oid> raw_blob_id(const fs::path& path) {
  const auto found = stat_of(path);
  return found ? raw_blob_id(AT_FDCWD, path.c_str(), *found) : std::nullopt;
}

IdSet all_object_ids(const fs::path& git_folder) {
  IdSet ids;
  std::vector<fs::path> folders = {git_folder};
  for (const fs::path& alternate : alternates_of(git_folder)) {
    // objects folders are named "…/objects"; everything here starts one level up.
    if (alternate.filename() == "objects") folders.push_back(alternate.parent_path());
  }
  for (const fs::path& folder : folders) {
    for (const LooseFile& file : loose_files(folder)) {
      if (file.id) ids.insert(*file.id);
    }
    for (const PackFiles& pack : packs_of(folder)) {
      if (!pack.has_pack || !pack.has_index) continue;
      if (const auto index = read_pack_index(pack.index)) ids.insert(index->ids.begin(), index->ids.end());
    }
  }
  return ids;
}

}  // namespace checkout
