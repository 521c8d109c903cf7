// Zip archives, as torch.save and numpy.savez write them.
//
// An archive ends with a record that says where its directory lies; the directory has an entry for each member with its
// place, its length and the CRC of its content. An archive that was cut off has no end, and that costs one read to see.
// A hole of zeros in the middle leaves end and directory as they were: only the CRCs find it, for which every byte has
// to be read. Members of more than 4 GiB, or that many of them, are described in a second, wider record ("zip64").
//
// A file may be a row of archives: PyTorch's distributed checkpoints (.distcp) hold one for each tensor, in which
// places are counted from the archive's own beginning. They are gone through from the last to the first: the directory
// of each lies right before its end and says how far back it begins, which is where the one before it ends.
//
// Not looked into: encrypted members and compressions other than deflate, which no trainer uses.
#include "launcher/training/checkpoints/zip.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "base/unique_fd.h"

namespace training {

namespace {

constexpr std::size_t kEndBytes = 22;
constexpr std::size_t kWideLocatorBytes = 20;
constexpr std::size_t kWideEndBytes = 56;
constexpr std::size_t kEntryBytes = 46;
constexpr std::size_t kMemberHeaderBytes = 30;
constexpr std::uint64_t kSeeWide = 0xffffffff;

std::uint64_t number_at(std::string_view bytes, std::size_t offset, std::size_t length) {
  std::uint64_t value = 0;
  for (std::size_t i = length; i > 0; --i) value = value << 8 | static_cast<unsigned char>(bytes[offset + i - 1]);
  return value;
}

struct Directory {
  std::uint64_t start = 0;
  std::uint64_t bytes = 0;
};

struct Member {
  std::string name;
  std::uint64_t method = 0;
  std::uint64_t crc = 0;
  std::uint64_t packed_bytes = 0;
  std::uint64_t header_at = 0;
};

class Archives {
 public:
  explicit Archives(const std::filesystem::path& file)
      : descriptor_(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
    const off_t end = descriptor_.valid() ? ::lseek(descriptor_.get(), 0, SEEK_END) : -1;
    end_ = end > 0 ? static_cast<std::uint64_t>(end) : 0;
  }

  std::string what_is_torn(const Closeness& closeness);

 private:
  std::string find_directory();
  std::string read_members();
  std::string torn_member(const Member& member, const Closeness& closeness) const;
  std::string read(std::uint64_t offset, std::uint64_t length) const;

  base::UniqueFd descriptor_;
  // The archive that is looked at, in the file.
  std::uint64_t start_ = 0;
  std::uint64_t end_ = 0;
  Directory directory_;
  std::vector<Member> members_;
};

// From a place in the file. Shorter where the archive ends.
std::string Archives::read(std::uint64_t offset, std::uint64_t length) const {
  std::string bytes(static_cast<std::size_t>(std::min(length, end_ - std::min(end_, offset))), '\0');
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count =
        ::pread(descriptor_.get(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
    if (count <= 0) break;
    done += static_cast<std::size_t>(count);
  }
  bytes.resize(done);
  return bytes;
}

std::string Archives::find_directory() {
  const std::uint64_t tail_bytes = std::min<std::uint64_t>(end_, 65535 + kEndBytes);
  const std::string tail = read(end_ - tail_bytes, tail_bytes);
  const std::size_t at = tail.rfind("PK\x05\x06");
  if (at == std::string::npos || at + kEndBytes > tail.size()) return "the zip archive has no end: it was cut off";
  if (at + kEndBytes + number_at(tail, at + 20, 2) != tail.size()) return "the zip archive's end is not at its end";
  std::uint64_t directory_end = end_ - tail_bytes + at;
  std::uint64_t before_directory = number_at(tail, at + 16, 4);
  directory_.bytes = number_at(tail, at + 12, 4);
  constexpr std::uint64_t kWideBytes = kWideEndBytes + kWideLocatorBytes;
  const std::string wide = directory_end < kWideBytes ? "" : read(directory_end - kWideBytes, kWideBytes);
  if (!wide.empty() && wide.compare(kWideEndBytes, 4, "PK\x06\x07") == 0) {
    if (!wide.starts_with("PK\x06\x06")) return "the zip archive's end is damaged";
    directory_end -= kWideBytes;
    before_directory = number_at(wide, 48, 8);
    directory_.bytes = number_at(wide, 40, 8);
  }
  if (directory_.bytes > directory_end || before_directory > directory_end - directory_.bytes)
    return "the zip archive's beginning is missing";
  directory_.start = directory_end - directory_.bytes;
  start_ = directory_.start - before_directory;
  return {};
}

// What is too large for its field is said in an extra field, in the order of the entry.
void widen(Member& member, std::uint64_t plain_bytes, std::string_view extra) {
  while (extra.size() >= 4) {
    const std::uint64_t kind = number_at(extra, 0, 2);
    const auto length = static_cast<std::size_t>(number_at(extra, 2, 2));
    if (length > extra.size() - 4) return;
    std::string_view content = extra.substr(4, length);
    extra.remove_prefix(4 + length);
    if (kind != 1) continue;
    if (plain_bytes == kSeeWide && content.size() >= 8) content.remove_prefix(8);
    for (std::uint64_t* field : {&member.packed_bytes, &member.header_at}) {
      if (*field != kSeeWide || content.size() < 8) continue;
      *field = number_at(content, 0, 8);
      content.remove_prefix(8);
    }
  }
}

std::string Archives::read_members() {
  members_.clear();
  const std::string bytes = read(directory_.start, directory_.bytes);
  for (std::size_t at = 0; at < bytes.size();) {
    if (bytes.size() - at < kEntryBytes || bytes.compare(at, 4, "PK\x01\x02") != 0)
      return "the zip archive's directory is damaged";
    const auto name_bytes = static_cast<std::size_t>(number_at(bytes, at + 28, 2));
    const auto extra_bytes = static_cast<std::size_t>(number_at(bytes, at + 30, 2));
    const std::size_t entry_bytes =
        kEntryBytes + name_bytes + extra_bytes + static_cast<std::size_t>(number_at(bytes, at + 32, 2));
    if (entry_bytes > bytes.size() - at) return "the zip archive's directory is damaged";
    Member member{.name = bytes.substr(at + kEntryBytes, name_bytes),
                  .method = number_at(bytes, at + 10, 2),
                  .crc = number_at(bytes, at + 16, 4),
                  .packed_bytes = number_at(bytes, at + 20, 4),
                  .header_at = number_at(bytes, at + 42, 4)};
    widen(member, number_at(bytes, at + 24, 4),
          std::string_view(bytes).substr(at + kEntryBytes + name_bytes, extra_bytes));
    members_.push_back(std::move(member));
    at += entry_bytes;
  }
  return {};
}

// Adds up a member's CRC, unpacking it where it is packed.
class Checksum {
 public:
  explicit Checksum(bool packed) : packed_(packed) {
    if (packed_) good_ = ::inflateInit2(&stream_, -MAX_WBITS) == Z_OK;
  }
  Checksum(const Checksum&) = delete;
  Checksum& operator=(const Checksum&) = delete;
  ~Checksum() {
    if (packed_) ::inflateEnd(&stream_);
  }

  void add(std::string& bytes) {
    if (!packed_) return add_plain(bytes.data(), bytes.size());
    stream_.next_in = reinterpret_cast<Bytef*>(bytes.data());
    stream_.avail_in = static_cast<uInt>(bytes.size());
    while (good_ && stream_.avail_in > 0) {
      stream_.next_out = reinterpret_cast<Bytef*>(plain_.data());
      stream_.avail_out = static_cast<uInt>(plain_.size());
      const int code = ::inflate(&stream_, Z_NO_FLUSH);
      good_ = code == Z_OK || code == Z_STREAM_END;
      add_plain(plain_.data(), plain_.size() - stream_.avail_out);
      if (code == Z_STREAM_END) break;
    }
  }
  bool equals(std::uint64_t crc) const { return good_ && crc_ == crc; }

 private:
  void add_plain(const char* bytes, std::size_t count) {
    crc_ = ::crc32_z(crc_, reinterpret_cast<const Bytef*>(bytes), count);
  }

  bool packed_;
  bool good_ = true;
  z_stream stream_{};
  uLong crc_ = 0;
  std::string plain_ = std::string(1U << 18, '\0');
};

std::string Archives::torn_member(const Member& member, const Closeness& closeness) const {
  const std::uint64_t header_at = start_ + member.header_at;
  const std::string header = read(header_at, kMemberHeaderBytes);
  if (header.size() < kMemberHeaderBytes || !header.starts_with("PK\x03\x04"))
    return fmt::format("the beginning of \"{}\" in the zip archive is damaged", member.name);
  constexpr std::uint64_t kStored = 0, kDeflated = 8;
  if (member.method != kStored && member.method != kDeflated) return {};
  const std::uint64_t start = header_at + kMemberHeaderBytes + number_at(header, 26, 2) + number_at(header, 28, 2);
  if (start > end_ || member.packed_bytes > end_ - start)
    return fmt::format("\"{}\" in the zip archive goes on beyond its end", member.name);
  Checksum checksum(member.method == kDeflated);
  constexpr std::uint64_t kPieceBytes = 1U << 20;
  for (std::uint64_t done = 0; done < member.packed_bytes;) {
    if (base::Clock::now() >= closeness.checksums_until) return {};
    std::string piece = read(start + done, std::min(kPieceBytes, member.packed_bytes - done));
    if (piece.empty()) return fmt::format("\"{}\" in the zip archive cannot be read", member.name);
    checksum.add(piece);
    done += piece.size();
  }
  if (checksum.equals(member.crc)) return {};
  return fmt::format("\"{}\" in the zip archive does not match its checksum", member.name);
}

std::string Archives::what_is_torn(const Closeness& closeness) {
  if (!descriptor_.valid()) return "the zip archive cannot be opened";
  do {
    if (std::string torn = find_directory(); !torn.empty()) return torn;
    if (std::string torn = read_members(); !torn.empty()) return torn;
    for (const Member& member : members_) {
      if (!closeness.checksums) break;
      if (std::string torn = torn_member(member, closeness); !torn.empty()) return torn;
    }
    end_ = start_;
  } while (end_ > 0);
  return {};
}

}  // namespace

std::string torn_zip(const std::filesystem::path& file, const Closeness& closeness) {
  return Archives(file).what_is_torn(closeness);
}

}  // namespace training
