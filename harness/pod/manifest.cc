#include "harness/pod/manifest.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>

#include "base/unique_fd.h"

namespace pod {

namespace fs = std::filesystem;

static std::uint64_t hash(std::uint64_t seed, const char* data, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i)
    seed = (seed ^ static_cast<unsigned char>(data[i])) * 0x100000001b3ULL;  // FNV-1a
  return seed;
}

static constexpr std::uint64_t kSeed = 0xcbf29ce484222325ULL;

static std::uint64_t hash_file(const std::string& path) {
  base::UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  std::array<char, 65536> buffer;
  std::uint64_t result = kSeed;
  ssize_t size = 0;
  while (file.valid() && (size = ::read(file.get(), buffer.data(), buffer.size())) > 0) {
    result = hash(result, buffer.data(), static_cast<std::size_t>(size));
  }
  return result;
}

void ManifestReader::add_folder(Manifest& manifest, const std::string& host, const std::string& inside,
                                std::set<std::string>& skipped) {
  std::error_code code;
  for (fs::directory_iterator entries(host, code), end; !code && entries != end; entries.increment(code)) {
    const std::string path = entries->path();
    const std::string name = (inside == "/" ? "" : inside) + "/" + entries->path().filename().string();
    struct stat status {};
    if (skipped.contains(name) || ::lstat(path.c_str(), &status) != 0) continue;
    Entry entry{status.st_mode, 0, 0};
    if (S_ISREG(status.st_mode)) {
      entry.size = static_cast<std::uint64_t>(status.st_size);
      const std::int64_t changed = status.st_ctim.tv_sec * 1'000'000'000 + status.st_ctim.tv_nsec;
      Known& known = known_[{status.st_dev, status.st_ino}];
      if (known.changed != changed || known.size != entry.size) known = {entry.size, changed, hash_file(path)};
      entry.content = known.content;
    } else if (S_ISLNK(status.st_mode)) {
      const std::string target = fs::read_symlink(path, code);
      entry.content = hash(kSeed, target.data(), target.size());
    }
    manifest[name] = entry;
    if (S_ISDIR(status.st_mode)) add_folder(manifest, path, name, skipped);
  }
}

Manifest ManifestReader::read(const Disks& disks) {
  Manifest manifest;
  // Mount points are read where their disk lies, and the kernel's own file systems not at all.
  std::set<std::string> skipped{"/proc", "/dev", "/sys"};
  for (const DiskView& view : disks.views()) {
    if (view.mount_path != "/") skipped.insert(view.mount_path);
  }
  for (const DiskView& view : disks.views()) {
    auto others = skipped;
    others.erase(view.mount_path);
    add_folder(manifest, view.host_path, view.mount_path, others);
  }
  return manifest;
}

Difference compare(const Manifest& before, const Manifest& after) {
  Difference difference;
  const auto came_or_went = [&](const std::string& path) {
    difference.changed.insert(path);
    const auto slash = path.rfind('/');
    difference.listing_changed.insert(slash == 0 ? "/" : path.substr(0, slash));
  };
  for (const auto& [path, entry] : before) {
    const auto now = after.find(path);
    if (now == after.end()) {
      came_or_went(path);
    } else if (now->second != entry) {
      difference.changed.insert(path);
    }
  }
  for (const auto& [path, entry] : after) {
    if (!before.contains(path)) came_or_went(path);
  }
  return difference;
}

}  // namespace pod
