#include "launcher/checkout/git/object_files.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <memory>

#include "base/unique_fd.h"
#include "launcher/checkout/git/files.h"
#include "launcher/checkout/git/library.h"

namespace checkout {
namespace {

constexpr std::size_t kIdBytes = GIT_OID_RAWSZ;
constexpr std::size_t kChunkBytes = 64 * 1024;

class Sha1 {
 public:
  Sha1() : context_(EVP_MD_CTX_new()) {
    static EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA1", nullptr);
    EVP_DigestInit_ex2(context_.get(), algorithm, nullptr);
  }
  void add(const void* bytes, std::size_t size) { EVP_DigestUpdate(context_.get(), bytes, size); }
  git_oid finish() {
    git_oid id;
    EVP_DigestFinal_ex(context_.get(), id.id, nullptr);
    return id;
  }

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context_;
};

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

git_oid id_at(const char* bytes) {
  git_oid id;
  std::memcpy(id.id, bytes, kIdBytes);
  return id;
}

// "blob 12\0": a known type, and the length that follows the header.
bool header_matches(std::string_view header, std::size_t contents_size) {
  const std::size_t space = header.find(' ');
  if (space == std::string_view::npos) return false;
  const std::string_view type = header.substr(0, space);
  if (type != "blob" && type != "tree" && type != "commit" && type != "tag") return false;
  return header.substr(space + 1) == std::to_string(contents_size);
}

// Follows one zlib stream; keeps the header, hashes all of it, and tells the size of what follows the header.
class LooseReader {
 public:
  // With `contents` what follows the header is kept there.
  explicit LooseReader(std::string* contents = nullptr) : contents_(contents) {
    ready_ = inflateInit(&stream_) == Z_OK;
  }
  ~LooseReader() { inflateEnd(&stream_); }
  LooseReader(const LooseReader&) = delete;
  LooseReader& operator=(const LooseReader&) = delete;

  // False once the stream is broken.
  bool feed(char* bytes, std::size_t size) {
    stream_.next_in = reinterpret_cast<Bytef*>(bytes);
    stream_.avail_in = static_cast<uInt>(size);
    while (ready_ && stream_.avail_in > 0 && !ended_) {
      std::array<char, kChunkBytes> out;
      stream_.next_out = reinterpret_cast<Bytef*>(out.data());
      stream_.avail_out = static_cast<uInt>(out.size());
      const int code = inflate(&stream_, Z_NO_FLUSH);
      ready_ = code == Z_OK || code == Z_STREAM_END;
      ended_ = code == Z_STREAM_END;
      take(std::string_view(out.data(), out.size() - stream_.avail_out));
    }
    // Bytes behind the end of the stream are damage too: git complains of them.
    if (ended_ && stream_.avail_in > 0) ready_ = false;
    return ready_;
  }

  std::string type() const { return header_.substr(0, header_.find(' ')); }

  std::optional<git_oid> finish() {
    if (!ready_ || !ended_ || !header_complete_ || !header_matches(header_, total_ - header_.size() - 1)) {
      return std::nullopt;
    }
    return hash_.finish();
  }

 private:
  void take(std::string_view bytes) {
    hash_.add(bytes.data(), bytes.size());
    total_ += bytes.size();
    if (!header_complete_) {
      const std::size_t end = bytes.find('\0');
      header_ += bytes.substr(0, end);
      header_complete_ = end != std::string_view::npos;
      if (header_.size() > 64) ready_ = false;
      bytes.remove_prefix(header_complete_ ? end + 1 : bytes.size());
    }
    if (contents_ != nullptr) *contents_ += bytes;
  }

  std::string* contents_;
  z_stream stream_{};
  Sha1 hash_;
  std::string header_;
  std::size_t total_ = 0;
  bool ready_ = false;
  bool ended_ = false;
  bool header_complete_ = false;
};

}  // namespace

std::size_t IdHash::operator()(const git_oid& id) const {
  std::size_t value;
  std::memcpy(&value, id.id, sizeof value);
  return value;
}

std::vector<LooseFile> loose_files(const fs::path& git_folder) {
  std::vector<LooseFile> files;
  for (int first = 0; first < 256; ++first) {
    const std::string prefix = fmt::format("{:02x}", first);
    std::error_code error;
    for (fs::directory_iterator entry(git_folder / "objects" / prefix, error), end; !error && entry != end;
         entry.increment(error)) {
      files.push_back({entry->path(), id_of(prefix + entry->path().filename().string())});
    }
  }
  return files;
}

namespace {

// True when the file is sound; the reader then has seen all of it.
bool read_through(const fs::path& path, const git_oid& id, LooseReader& reader) {
  const base::UniqueFd fd = open_for_reading(path);
  if (!size_of_regular(fd.get())) return false;
  std::array<char, kChunkBytes> chunk;
  while (const std::size_t got = read_some(fd.get(), chunk.data(), chunk.size())) {
    if (!reader.feed(chunk.data(), got)) return false;
  }
  const auto found = reader.finish();
  return found && git_oid_equal(&*found, &id) != 0;
}

}  // namespace

bool loose_object_is_sound(const fs::path& path, const git_oid& id) {
  LooseReader reader;
  return read_through(path, id, reader);
}

std::optional<LooseObject> read_loose_object(const fs::path& path, const git_oid& id) {
  LooseObject object;
  LooseReader reader(&object.bytes);
  if (!read_through(path, id, reader)) return std::nullopt;
  object.type = reader.type();
  return object;
}

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
  const auto contents = contents_of(path);
  const std::size_t fixed = 8 + 256 * 4 + 2 * kIdBytes;
  if (!contents || contents->size() < fixed) return std::nullopt;
  const char* bytes = contents->data();
  // Version 1 has no header; nothing has written it since 2007, and indexing the pack again replaces it.
  if (std::memcmp(bytes, "\377tOc", 4) != 0 || big_endian(bytes + 4) != 2) return std::nullopt;
  std::uint32_t previous = 0;
  for (int i = 0; i < 256; ++i) {
    const std::uint32_t count = big_endian(bytes + 8 + i * 4);
    if (count < previous) return std::nullopt;
    previous = count;
  }
  const std::size_t count = previous;
  if (contents->size() < fixed + count * (kIdBytes + 8)) return std::nullopt;
  PackIndex index;
  index.ids.reserve(count);
  const char* names = bytes + 8 + 256 * 4;
  for (std::size_t i = 0; i < count; ++i) index.ids.push_back(id_at(names + i * kIdBytes));
  // Offsets beyond 31 bits are kept in a table of their own.
  const char* small = names + count * (kIdBytes + 4);
  const char* large = small + count * 4;
  const std::size_t large_bytes = contents->size() - fixed - count * (kIdBytes + 8);
  index.offsets.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t offset = big_endian(small + i * 4);
    const std::size_t place = std::size_t{offset & 0x7fffffffU} * 8;
    if ((offset & 0x80000000U) == 0) {
      index.offsets.push_back(offset);
    } else if (place + 8 <= large_bytes) {
      index.offsets.push_back((std::uint64_t{big_endian(large + place)} << 32) | big_endian(large + place + 4));
    } else {
      return std::nullopt;
    }
  }
  index.pack_checksum = id_at(bytes + contents->size() - 2 * kIdBytes);
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

std::optional<git_oid> raw_blob_id(const fs::path& path) {
  Sha1 hash;
  struct stat found;
  if (::lstat(path.c_str(), &found) != 0) return std::nullopt;
  if (S_ISLNK(found.st_mode)) {
    std::error_code error;
    const std::string target = fs::read_symlink(path, error).string();
    if (error) return std::nullopt;
    const std::string header = fmt::format("blob {}", target.size());
    hash.add(header.c_str(), header.size() + 1);
    hash.add(target.data(), target.size());
    return hash.finish();
  }
  const base::UniqueFd fd = open_for_reading(path);
  const auto size = size_of_regular(fd.get());
  if (!size) return std::nullopt;
  const std::string header = fmt::format("blob {}", *size);
  hash.add(header.c_str(), header.size() + 1);
  std::array<char, kChunkBytes> chunk;
  std::size_t total = 0;
  while (const std::size_t got = read_some(fd.get(), chunk.data(), chunk.size())) {
    hash.add(chunk.data(), got);
    total += got;
  }
  if (total != *size) return std::nullopt;
  return hash.finish();
}

std::vector<fs::path> alternates_of(const fs::path& git_folder) {
  std::vector<fs::path> folders;
  const auto contents = contents_of(git_folder / "objects" / "info" / "alternates");
  if (!contents) return folders;
  std::size_t start = 0;
  while (start < contents->size()) {
    std::size_t end = contents->find('\n', start);
    if (end == std::string::npos) end = contents->size();
    const std::string line = contents->substr(start, end - start);
    start = end + 1;
    if (line.empty() || line[0] == '#' || line.find('\0') != std::string::npos) continue;
    const fs::path named(line);
    folders.push_back(named.is_absolute() ? named : (git_folder / "objects" / named).lexically_normal());
  }
  return folders;
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
