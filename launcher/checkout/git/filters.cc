// See objects/sha1.cc for why these and not EVP.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "launcher/checkout/git/filters.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/sha.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>

#include "base/unique_fd.h"
#include "launcher/checkout/git/files.h"

namespace checkout {
namespace {

constexpr std::string_view kLfs = "lfs";
constexpr std::size_t kPointerBytesMax = 1024;  // by the specification of Git LFS

std::string attribute(git_repository* repository, const std::string& path, const char* name) {
  const char* value = nullptr;
  if (git_attr_get(&value, repository, GIT_ATTR_CHECK_FILE_THEN_INDEX, path.c_str(), name) < 0) return {};
  return git_attr_value(value) == GIT_ATTR_VALUE_STRING ? value : "";
}

std::optional<std::string_view> line_after(std::string_view text, std::string_view key) {
  const std::size_t at = text.find(key);
  if (at == std::string_view::npos) return std::nullopt;
  const std::size_t begin = at + key.size();
  return text.substr(begin, text.find('\n', begin) - begin);
}

std::string sha256_of(const fs::path& path) {
  const base::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  SHA256_CTX hash;
  SHA256_Init(&hash);
  std::array<char, 64 * 1024> chunk;
  for (;;) {
    const ssize_t got = ::read(fd.get(), chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return {};
    if (got == 0) break;
    SHA256_Update(&hash, chunk.data(), static_cast<std::size_t>(got));
  }
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest;
  SHA256_Final(digest.data(), &hash);
  std::string hex;
  for (const unsigned char byte : digest) hex += fmt::format("{:02x}", byte);
  return hex;
}

}  // namespace

std::optional<LfsPointer> parse_lfs_pointer(std::string_view contents) {
  if (contents.size() >= kPointerBytesMax) return std::nullopt;
  if (!contents.starts_with("version https://git-lfs.github.com/spec/") &&
      !contents.starts_with("version https://hawser.github.com/spec/")) {
    return std::nullopt;
  }
  const auto hash = line_after(contents, "\noid sha256:");
  const auto size = line_after(contents, "\nsize ");
  LfsPointer pointer;
  if (!hash || !size || hash->size() != 2 * SHA256_DIGEST_LENGTH) return std::nullopt;
  if (std::from_chars(size->data(), size->data() + size->size(), pointer.size).ec != std::errc()) return std::nullopt;
  pointer.sha256 = *hash;
  return pointer;
}

bool Filters::is_configured(const std::string& driver) {
  const auto known = configured_.find(driver);
  if (known != configured_.end()) return known->second;
  git_config* opened = nullptr;
  bool found = false;
  if (git_repository_config_snapshot(&opened, repository_) == 0) {
    const Config config(opened);
    for (const char* key : {"clean", "smudge", "process"}) {
      const char* value = nullptr;
      const std::string name = fmt::format("filter.{}.{}", driver, key);
      found = found || (git_config_get_string(&value, config.get(), name.c_str()) == 0 && *value != '\0');
    }
  }
  return configured_[driver] = found;
}

bool Filters::apply_to(const std::string& path) {
  const std::string driver = attribute(repository_, path, "filter");
  // Who installed Git LFS may have done so elsewhere: in another container that used the same disk.
  if (driver == kLfs || (!driver.empty() && is_configured(driver))) return true;
  return !attribute(repository_, path, "working-tree-encoding").empty();
}

Filters::Verdict Filters::compare(const fs::path& file, const git_oid& blob) const {
  const std::string driver =
      attribute(repository_, file.lexically_relative(git_repository_workdir(repository_)), "filter");
  if (driver != kLfs) return Verdict::kUnknown;
  git_blob* found = nullptr;
  if (git_blob_lookup(&found, repository_, &blob) < 0) return Verdict::kUnknown;
  const Blob owned(found);
  const auto pointer = parse_lfs_pointer(
      {static_cast<const char*>(git_blob_rawcontent(found)), static_cast<std::size_t>(git_blob_rawsize(found))});
  if (!pointer) return Verdict::kDiffers;  // stored as it is
  const auto there = stat_of(file);
  const bool fits = there && S_ISREG(there->st_mode) && static_cast<std::uint64_t>(there->st_size) == pointer->size &&
                    sha256_of(file) == pointer->sha256;
  return fits ? Verdict::kFits : Verdict::kDiffers;
}

bool is_out_of_hand(Filters& filters, const fs::path& work_tree, const std::string& path) {
  if (!is_file(work_tree / path) || !filters.apply_to(path)) return false;
  const auto contents = contents_of(work_tree / path);
  return !contents || !parse_lfs_pointer(*contents);
}

}  // namespace checkout
