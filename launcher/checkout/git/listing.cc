#include "launcher/checkout/git/listing.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

namespace checkout {
namespace {

struct Close {
  void operator()(DIR* folder) const { ::closedir(folder); }
};
using Folder = std::unique_ptr<DIR, Close>;

Folder open_folder(int above, const char* name, int flags) {
  const int fd = ::openat(above, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | flags);
  if (fd < 0) return nullptr;
  DIR* folder = ::fdopendir(fd);
  if (folder == nullptr) ::close(fd);
  return Folder(folder);
}

void list(DIR* folder, const std::string& prefix, const std::function<bool(const std::string&)>& enter,
          Listing& listing) {
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(folder);
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    struct stat found;
    if (::fstatat(::dirfd(folder), entry->d_name, &found, AT_SYMLINK_NOFOLLOW) != 0) continue;
    const std::string path = prefix + entry->d_name;
    listing.files.push_back({path, found.st_mode});
    if (!S_ISDIR(found.st_mode) || !enter(path)) continue;
    if (const Folder below = open_folder(::dirfd(folder), entry->d_name, O_NOFOLLOW)) {
      list(below.get(), path + '/', enter, listing);
    } else {
      listing.complete = false;
    }
  }
  if (errno != 0) listing.complete = false;
}

auto first_not_before(const std::vector<Listed>& files, std::string_view name) {
  return std::lower_bound(files.begin(), files.end(), name,
                          [](const Listed& file, std::string_view wanted) { return file.name < wanted; });
}

}  // namespace

const Listed* Listing::find(std::string_view name) const {
  const auto found = first_not_before(files, name);
  return found != files.end() && found->name == name ? &*found : nullptr;
}

std::span<const Listed> Listing::below(std::string_view folder) const {
  const std::string prefix = std::string(folder) + '/';
  const auto begin = first_not_before(files, prefix);
  const auto end = std::find_if(begin, files.end(), [&](const Listed& file) { return !file.name.starts_with(prefix); });
  return {begin, end};
}

Listing list_below(const std::filesystem::path& folder, const std::function<bool(const std::string&)>& enter) {
  Listing listing;
  if (const Folder opened = open_folder(AT_FDCWD, folder.c_str(), 0)) {
    list(opened.get(), "", enter, listing);
  } else {
    listing.opened = false;
  }
  std::sort(listing.files.begin(), listing.files.end(),
            [](const Listed& one, const Listed& other) { return one.name < other.name; });
  return listing;
}

}  // namespace checkout
