#include "launcher/evacuation/store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/unique_fd.h"
#include "launcher/base/files.h"
#include "launcher/checkout/git/files.h"
#include "launcher/evacuation/bundle.h"

namespace evacuation {

namespace fs = std::filesystem;
using base::Result;
using base::UniqueFd;
using nlohmann::json;

namespace {

constexpr const char* manifest_file = "manifest.json";
constexpr const char* staging_prefix = ".new-";  // ours, and disposable

class Digest {
 public:
  Digest() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) { EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr); }
  void add(std::string_view bytes) { EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()); }
  std::string finish() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int size = 0;
    EVP_DigestFinal_ex(context_.get(), digest.data(), &size);
    std::string text;
    for (unsigned int i = 0; i < size; ++i) text += fmt::format("{:02x}", digest[i]);
    return text;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

// Calls `take` with each part of a file; false from it ends the reading.
Result<void> read_parts(const fs::path& path, const std::function<bool(std::string_view)>& take) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW));
  if (!file.valid()) return base::fail(base::system_error(errno, "open", path.string()));
  std::array<char, 1U << 16> buffer;
  for (;;) {
    const ssize_t count = ::read(file.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return base::fail(base::system_error(errno, "read", path.string()));
    if (count == 0 || !take({buffer.data(), static_cast<std::size_t>(count)})) return {};
  }
}

Result<std::string> digest_of(const fs::path& path) {
  Digest digest;
  const auto read = read_parts(path, [&](std::string_view part) { return digest.add(part), true; });
  if (!read) return base::fail(read.error());
  return digest.finish();
}

Result<std::string> target_of(const fs::path& link) {
  std::error_code code;
  const fs::path target = fs::read_symlink(link, code);
  if (code) return base::fail(base::system_error(code.value(), "read the link", link.string()));
  return target.string();
}

// What a case must hold, as its manifest says it.
struct Item {
  std::string name;
  std::string kind;    // "file", "link"
  std::string digest;  // of the content, or the link's target
};

class Writer {
 public:
  Writer(const AtRisk& at_risk, fs::path staging) : at_risk_(at_risk), staging_(std::move(staging)) {}

  Result<void> write();
  const std::vector<Item>& items() const { return items_; }

 private:
  Result<void> add(const Source& source);
  Result<void> add_link(const Source& source, const fs::path& to);

  const AtRisk& at_risk_;
  fs::path staging_;
  std::vector<Item> items_;
};

Result<void> Writer::add_link(const Source& source, const fs::path& to) {
  const auto target = target_of(source.from);
  if (!target) return base::fail(target.error());
  if (::symlink(target->c_str(), to.c_str()) != 0)
    return base::fail(base::system_error(errno, "make the link", to.string()));
  items_.push_back({source.name.string(), "link", *target});
  return {};
}

Result<void> Writer::add(const Source& source) {
  const fs::path to = staging_ / source.name;
  if (auto made = base::make_folders(to.parent_path().string()); !made) return made;
  if (source.kind == Source::Kind::kLink) return add_link(source, to);
  const UniqueFd file(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!file.valid()) return base::fail(base::system_error(errno, "create", to.string()));
  Digest digest;
  int write_errno = 0;
  const auto take = [&](std::string_view part) {
    digest.add(part);
    if (base::write_all(file.get(), part)) return true;
    write_errno = errno;
    return false;
  };
  Result<void> done;
  if (source.kind == Source::Kind::kFile) {
    done = read_parts(source.from, take);
  } else if (source.kind == Source::Kind::kBytes) {
    (void)take(source.bytes);
  } else {
    const auto history = find_local_history(source.from);
    done = history ? write_bundle(source.from, *history, take) : base::fail(history.error());
  }
  if (write_errno != 0) return base::fail(base::system_error(write_errno, "write", to.string()));
  if (!done) return done;
  if (::fsync(file.get()) != 0) return base::fail(base::system_error(errno, "sync", to.string()));
  // What is read back is to come from the disk.
  (void)::posix_fadvise(file.get(), 0, 0, POSIX_FADV_DONTNEED);
  struct stat status {};
  if (source.kind == Source::Kind::kFile && ::stat(source.from.c_str(), &status) == 0)
    (void)::fchmod(file.get(), status.st_mode & 0777);  // a disk without modes keeps the content all the same
  items_.push_back({source.name.string(), "file", digest.finish()});
  return {};
}

Result<void> Writer::write() {
  for (const Source& source : at_risk_.sources) {
    if (auto added = add(source); !added) return added;
  }
  json manifest{{"version", 1}, {"kept", at_risk_.kept}, {"items", json::array()}};
  for (const Item& item : items_)
    manifest["items"].push_back({{"name", item.name}, {"kind", item.kind}, {"digest", item.digest}});
  manifest["how-to-take-back"] =
      "Files lie under their own names. Commits: in a clone, git fetch FOLDER/checkout/commits.bundle "
      "'refs/*:refs/evacuated/*'";
  return base::write_file_durably((staging_ / manifest_file).string(),
                                  manifest.dump(2, ' ', false, json::error_handler_t::replace) + "\n");
}

// Does everything that the manifest names lie there as it says?
Result<void> verify(const fs::path& folder) {
  const auto damaged = [&](const std::string& detail) {
    return base::fail(base::Error{.code = base::ErrorCode::kDamaged,
                                  .operation = "read back what was evacuated to",
                                  .path = folder.string(),
                                  .system_errno = 0,
                                  .detail = detail,
                                  .remedy = "Look at that disk."});
  };
  const auto text = base::read_file((folder / manifest_file).string(), 256U << 20);
  if (!text) return base::fail(text.error());
  const json manifest = json::parse(*text, nullptr, false);
  if (!manifest.is_object() || !manifest.contains("items") || !manifest["items"].is_array())
    return damaged("its manifest cannot be read");
  for (const json& item : manifest["items"]) {
    if (!item.is_object()) return damaged("its manifest cannot be read");
    const std::string name = item.value("name", "");
    const auto found = item.value("kind", "") == "link" ? target_of(folder / name) : digest_of(folder / name);
    if (!found) return base::fail(found.error());
    if (*found != item.value("digest", "")) return damaged(name + " is not what was written");
  }
  return {};
}

Result<void> sync_folders(const fs::path& folder) {
  std::error_code code;
  for (fs::recursive_directory_iterator entry(folder, code), end; !code && entry != end; entry.increment(code)) {
    if (checkout::kind_at(entry->path()) != checkout::Kind::kFolder) continue;
    if (auto synced = checkout::sync_folder(entry->path()); !synced) return synced;
  }
  return checkout::sync_folder(folder);
}

void remove_leftovers(const fs::path& place) {
  std::error_code code;
  for (fs::directory_iterator entry(place, code), end; !code && entry != end; entry.increment(code)) {
    std::error_code ignored;  // what cannot be removed is in nobody's way
    if (entry->path().filename().string().starts_with(staging_prefix)) fs::remove_all(entry->path(), ignored);
  }
}

}  // namespace

Result<std::string> case_name(const AtRisk& at_risk) {
  Digest all;
  for (const Source& source : at_risk.sources) {
    std::string content = source.bytes;
    if (source.kind == Source::Kind::kFile || source.kind == Source::Kind::kLink) {
      const auto read = source.kind == Source::Kind::kFile ? digest_of(source.from) : target_of(source.from);
      if (!read) return base::fail(read.error());
      content = *read;
    }
    all.add(
        fmt::format("{}\n{}\n{}\n{}\n", static_cast<int>(source.kind), source.name.string(), content.size(), content));
  }
  return "case-" + all.finish().substr(0, 16);
}

Result<void> store(const AtRisk& at_risk, const fs::path& place, const std::string& name) {
  const fs::path finished = place / name;
  if (checkout::is_folder(finished) && verify(finished)) return {};
  if (auto made = base::make_folders(place.string()); !made) return made;
  remove_leftovers(place);
  const fs::path staging = place / (staging_prefix + name);
  Writer writer(at_risk, staging);
  auto done = base::make_folders(staging.string());
  if (done) done = writer.write();
  if (done) done = sync_folders(staging);
  if (done) done = verify(staging);
  if (!done) {
    std::error_code ignored;  // the next call tries again
    fs::remove_all(staging, ignored);
    return done;
  }
  // A case of that name that is not whole was damaged on its disk: it stays, under another name.
  for (int n = 1; !checkout::is_nothing(finished); ++n) {
    const fs::path aside = place / fmt::format("{}.damaged-{}", name, n);
    if (!checkout::is_nothing(aside)) continue;
    if (auto moved = checkout::rename_durably(finished, aside); !moved) return moved;
  }
  return checkout::rename_durably(staging, finished);
}

}  // namespace evacuation
