// One zlib stream of "type size NUL contents", named after the hash of that.
#include "launcher/checkout/objects/loose.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/unique_fd.h"
#include "launcher/checkout/objects/file_bytes.h"
#include "launcher/checkout/objects/inflate.h"
#include "launcher/checkout/objects/sha1.h"

namespace checkout {
namespace {

namespace fs = std::filesystem;

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

// The usual case: small enough to be inflated at once, by the faster library.
constexpr std::size_t kSmallFileBytesMax = std::size_t{4} << 20;
constexpr std::size_t kSmallBytesMax = std::size_t{32} << 20;

struct Opened {
  std::string bytes;  // header and contents
  std::size_t header = 0;
  git_object_t type = GIT_OBJECT_INVALID;
};

git_object_t type_named(std::string_view name) {
  for (const git_object_t type : {GIT_OBJECT_BLOB, GIT_OBJECT_TREE, GIT_OBJECT_COMMIT, GIT_OBJECT_TAG}) {
    if (name == name_of_type(type)) return type;
  }
  return GIT_OBJECT_INVALID;
}

enum class Look { kSound, kDamaged, kTooLarge };

Look open_small(const fs::path& path, const git_oid& id, Opened& opened) {
  struct stat found;
  if (::lstat(path.c_str(), &found) != 0) return Look::kDamaged;
  if (static_cast<std::size_t>(found.st_size) > kSmallFileBytesMax) return Look::kTooLarge;
  const auto file = read_whole(path);
  if (!file) return Look::kDamaged;
  thread_local Inflater inflater;
  auto bytes = inflater.inflate_all(*file, kSmallBytesMax);
  if (!bytes) return Look::kTooLarge;  // or damaged: the other library tells
  const std::string_view header = std::string_view(*bytes).substr(0, bytes->find('\0'));
  if (!header_matches(header, bytes->size() - header.size() - 1)) return Look::kDamaged;
  Sha1 hash;
  hash.add(bytes->data(), bytes->size());
  if (!same_id(hash.finish(), id)) return Look::kDamaged;
  opened = {std::move(*bytes), header.size() + 1, type_named(header.substr(0, header.find(' ')))};
  return Look::kSound;
}

// True when the file is sound; the reader then has seen all of it.
bool read_through(const fs::path& path, const git_oid& id, LooseReader& reader) {
  const base::UniqueFd fd = open_for_reading(path);
  if (!size_of_regular(fd.get())) return false;
  std::array<char, kChunkBytes> chunk;
  while (const std::size_t got = read_some(fd.get(), chunk.data(), chunk.size())) {
    if (!reader.feed(chunk.data(), got)) return false;
  }
  const auto found = reader.finish();
  return found && same_id(*found, id);
}

}  // namespace

std::vector<LooseFile> loose_files(const fs::path& git_folder) {
  // Most of the 256 folders are not there, and on a network volume each look for one costs a round trip.
  std::vector<fs::path> folders;
  std::error_code error;
  for (fs::directory_iterator entry(git_folder / "objects", error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename();
    if (name.size() == 2 && name.find_first_not_of("0123456789abcdef") == std::string::npos)
      folders.push_back(entry->path());
  }
  std::ranges::sort(folders);
  std::vector<LooseFile> files;
  for (const fs::path& folder : folders) {
    const std::string prefix = folder.filename();
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
      files.push_back({entry->path(), id_of(prefix + entry->path().filename().string())});
    }
  }
  return files;
}

bool loose_object_is_sound(const fs::path& path, const git_oid& id) {
  Opened opened;
  const Look look = open_small(path, id, opened);
  if (look != Look::kTooLarge) return look == Look::kSound;
  LooseReader reader;
  return read_through(path, id, reader);
}

std::optional<ObjectData> read_loose_object(const fs::path& path, const git_oid& id) {
  Opened opened;
  const Look look = open_small(path, id, opened);
  if (look == Look::kDamaged) return std::nullopt;
  if (look == Look::kSound) return ObjectData{opened.type, opened.bytes.substr(opened.header)};
  std::string bytes;
  LooseReader reader(&bytes);
  if (!read_through(path, id, reader)) return std::nullopt;
  return ObjectData{type_named(reader.type()), std::move(bytes)};
}

}  // namespace checkout
