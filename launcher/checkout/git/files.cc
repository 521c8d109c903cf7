#include "launcher/checkout/git/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <map>
#include <vector>

#include "base/unique_fd.h"

namespace checkout {
namespace {

base::Result<void> write_all(int fd, std::string_view bytes, const fs::path& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return base::fail(base::system_error(errno, "write", path));
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

int highest_case(const fs::path& quarantine) {
  int highest = 0;
  std::error_code error;
  for (fs::directory_iterator entry(quarantine, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename();
    int number = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), number).ec == std::errc()) {
      highest = std::max(highest, number);
    }
  }
  return highest;
}

}  // namespace

std::optional<struct stat> stat_of(const fs::path& path) {
  struct stat found;
  if (::lstat(path.c_str(), &found) != 0) return std::nullopt;
  return found;
}

base::Result<std::optional<struct stat>> look_at_path(const fs::path& path) {
  struct stat found;
  if (::lstat(path.c_str(), &found) == 0) return found;
  if (errno == ENOENT) return std::nullopt;
  return base::fail(base::system_error(errno, "look at", path));
}

Kind kind_at(const fs::path& path) {
  struct stat found;
  if (::lstat(path.c_str(), &found) != 0) return errno == ENOENT || errno == ENOTDIR ? Kind::kNothing : Kind::kUnknown;
  if (S_ISREG(found.st_mode)) return Kind::kFile;
  if (S_ISDIR(found.st_mode)) return Kind::kFolder;
  if (S_ISLNK(found.st_mode)) return Kind::kLink;
  return Kind::kOther;
}

base::Result<std::string> read_file(const fs::path& path) {
  base::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd.valid()) return base::fail(base::system_error(errno, "read", path));
  struct stat found;
  if (::fstat(fd.get(), &found) != 0) return base::fail(base::system_error(errno, "read", path));
  if (!S_ISREG(found.st_mode)) return base::fail(base::system_error(EISDIR, "read", path));
  const auto size = static_cast<std::size_t>(found.st_size);
  std::string contents(size + 1, '\0');
  std::size_t filled = 0;
  for (;;) {
    if (filled == contents.size()) contents.resize(contents.size() + 4096);
    const std::size_t asked = contents.size() - filled;
    const ssize_t got = ::read(fd.get(), contents.data() + filled, asked);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return base::fail(base::system_error(errno, "read", path));
    filled += static_cast<std::size_t>(got);
    // Where it ends as it was said to, there is no need to ask again. (Those in /proc say nothing of their size.)
    if (got == 0 || (size > 0 && filled == size && static_cast<std::size_t>(got) < asked)) break;
  }
  contents.resize(filled);
  return contents;
}

std::optional<std::string> contents_of(const fs::path& path) {
  auto contents = read_file(path);
  if (!contents) return std::nullopt;
  return std::move(*contents);
}

bool only_zero_bytes(std::string_view bytes) {
  return bytes.find_first_not_of('\0') == std::string_view::npos;
}

static std::uint64_t size_of(const fs::path& path) {
  if (is_folder(path)) return bytes_under(path);
  const auto found = stat_of(path);
  return found && S_ISREG(found->st_mode) ? static_cast<std::uint64_t>(found->st_size) : 0;
}

base::Result<void> make_folders(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) return base::fail(base::system_error(error.value(), "create the folder", path));
  return {};
}

base::Result<void> sync_folder(const fs::path& path) {
  base::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECTORY));
  if (!fd.valid()) return base::fail(base::system_error(errno, "open the folder", path));
  // Some network file systems refuse fsync on folders; there is nothing better to be had there.
  if (::fsync(fd.get()) != 0 && errno != EINVAL && errno != EROFS) {
    return base::fail(base::system_error(errno, "sync the folder", path));
  }
  return {};
}

base::Result<void> sync_file_system(const fs::path& path) {
  base::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return base::fail(base::system_error(errno, "open", path));
  if (::syncfs(fd.get()) != 0) return base::fail(base::system_error(errno, "sync the file system of", path));
  return {};
}

base::Result<void> rename_durably(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) {
    return base::fail(base::system_error(errno, fmt::format("move {} to", from.string()), to));
  }
  if (auto synced = sync_folder(to.parent_path()); !synced) return synced;
  if (from.parent_path() == to.parent_path()) return {};
  return sync_folder(from.parent_path());
}

base::Result<void> remove_redundant(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) return base::fail(base::system_error(error.value(), "remove", path));
  return {};
}

base::Result<void> PrivateFolder::prepare() const {
  if (!is_nothing(staging())) {
    if (auto removed = remove_redundant(staging()); !removed) return removed;
  }
  return make_folders(staging());
}

base::Result<fs::path> PrivateFolder::fresh_staging_path(std::string_view hint) const {
  if (auto made = make_folders(staging()); !made) return base::fail(made.error());
  for (int number = 1;; ++number) {
    fs::path candidate = staging() / fmt::format("{}.{}", hint, number);
    if (is_nothing(candidate)) return candidate;
  }
}

base::Result<void> PrivateFolder::write_durably(const fs::path& path, std::string_view contents, mode_t mode) const {
  auto temporary = fresh_staging_path(path.filename().string());
  if (!temporary) return base::fail(temporary.error());
  base::UniqueFd fd(::open(temporary->c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!fd.valid()) return base::fail(base::system_error(errno, "create", *temporary));
  if (auto written = write_all(fd.get(), contents, *temporary); !written) return written;
  if (::fchmod(fd.get(), mode) != 0 && errno != EPERM)
    return base::fail(base::system_error(errno, "set the mode of", path));
  if (::fsync(fd.get()) != 0) return base::fail(base::system_error(errno, "sync", *temporary));
  fd.reset();
  if (auto made = make_folders(path.parent_path()); !made) return made;
  return rename_durably(*temporary, path);
}

base::Result<fs::path> PrivateFolder::start_case() {
  if (!case_) {
    const fs::path fresh = quarantine() / fmt::format("{:04}", highest_case(quarantine()) + 1);
    if (auto made = make_folders(fresh); !made) return base::fail(made.error());
    case_ = fresh;
  }
  return *case_;
}

base::Result<fs::path> PrivateFolder::place_in_case(const fs::path& name) {
  if (auto started = start_case(); !started) return started;
  fs::path placed = *case_ / name.relative_path();
  for (int number = 1; !is_nothing(placed); ++number) {
    placed = *case_ / (name.relative_path().string() + fmt::format(".{}", number));
  }
  if (auto made = make_folders(placed.parent_path()); !made) return base::fail(made.error());
  return placed;
}

base::Result<void> PrivateFolder::note(const fs::path& placed, const fs::path& came_from, std::string_view why) const {
  const fs::path list = *case_ / "WHY.txt";
  base::UniqueFd fd(::open(list.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!fd.valid()) return base::fail(base::system_error(errno, "open", list));
  const std::string line =
      fmt::format("{}: from {}: {}\n", placed.lexically_relative(*case_).string(), came_from.string(), why);
  return write_all(fd.get(), line, list);
}

void PrivateFolder::limit(std::uint64_t bytes_max, std::uint64_t rescued_bytes) {
  bytes_max_ = bytes_max;
  rescued_bytes_ = rescued_bytes;
}

namespace {

// Cases that the same damage made: all bytes and links are equal, but for the note that says why.
bool is_same_case(const fs::path& one, const fs::path& other) {
  std::map<fs::path, std::string> held[2];
  for (int side = 0; side < 2; ++side) {
    const fs::path& root = side == 0 ? one : other;
    std::error_code error;
    for (fs::recursive_directory_iterator entry(root, error), end; !error && entry != end; entry.increment(error)) {
      const fs::path name = entry->path().lexically_relative(root);
      const Kind kind = kind_at(entry->path());
      if (name == "WHY.txt" || kind == Kind::kFolder) continue;
      if (kind == Kind::kLink) held[side][name] = "link to " + fs::read_symlink(entry->path(), error).string();
      const auto contents = kind == Kind::kFile ? contents_of(entry->path()) : std::nullopt;
      if (kind != Kind::kLink && !contents) return false;  // not read: not known to be the same
      if (contents) held[side][name] = "file of " + *contents;
    }
    if (error || held[side].contains("CARRY")) return false;  // one that is still being worked on
  }
  return held[0] == held[1];
}

}  // namespace

base::Result<void> PrivateFolder::drop_repeated_cases() {
  std::map<std::uint64_t, std::vector<fs::path>> by_size;
  std::error_code error;
  for (fs::directory_iterator entry(quarantine(), error), end; !error && entry != end; entry.increment(error)) {
    if (is_folder(entry->path()) && entry->path() != case_.value_or(fs::path()))
      by_size[bytes_under(entry->path()) - size_of(entry->path() / "WHY.txt")].push_back(entry->path());
  }
  constexpr std::uint64_t kComparedMax = 1U << 30;  // larger ones would not fit into memory
  for (auto& [size, cases] : by_size) {
    if (size > kComparedMax) continue;
    std::sort(cases.begin(), cases.end());
    while (cases.size() > 1) {
      const fs::path newest = cases.back();
      cases.pop_back();
      if (!is_same_case(cases.back(), newest)) continue;
      if (auto removed = remove_redundant(newest); !removed) return removed;
    }
  }
  return {};
}

base::Result<void> PrivateFolder::room_for(std::uint64_t bytes) {
  if (bytes_max_ == 0) return {};
  if (!used_) used_ = bytes_under(quarantine());
  if (*used_ + rescued_bytes_ + bytes > bytes_max_) {
    if (auto dropped = drop_repeated_cases(); !dropped) return dropped;
    used_ = bytes_under(quarantine());
  }
  if (*used_ + rescued_bytes_ + bytes <= bytes_max_) {
    *used_ += bytes;
    return {};
  }
  base::Error full;
  full.code = base::ErrorCode::kNoSpace;
  full.operation = "keep more in quarantine";
  full.path = quarantine();
  full.detail =
      fmt::format("{} bytes are to be added to {} in quarantine and {} under rescue references, and {} is the limit",
                  bytes, *used_, rescued_bytes_, bytes_max_);
  full.remedy =
      "Nothing of it is known to exist elsewhere, so nothing was dropped. Look through it, move away what "
      "you "
      "need and delete the rest, or raise --quarantine-max.";
  return base::fail(full);
}

base::Result<fs::path> PrivateFolder::move_to_quarantine(const fs::path& what, const fs::path& name,
                                                         std::string_view why, std::optional<std::uint64_t> staying) {
  if (bytes_max_ > 0) {
    if (auto room = room_for(staying ? *staying : size_of(what)); !room) return base::fail(room.error());
  }
  auto placed = place_in_case(name);
  if (!placed) return placed;
  // The note comes first: after a kill a note without a file does no harm, a file without a note is a riddle.
  if (auto noted = note(*placed, what, why); !noted) return base::fail(noted.error());
  if (auto moved = rename_durably(what, *placed); !moved) return base::fail(moved.error());
  return placed;
}

base::Result<fs::path> PrivateFolder::copy_to_quarantine(const fs::path& what, const fs::path& name,
                                                         std::string_view why) {
  if (bytes_max_ > 0) {
    if (auto room = room_for(size_of(what)); !room) return base::fail(room.error());
  }
  auto placed = place_in_case(name);
  if (!placed) return placed;
  if (auto noted = note(*placed, what, why); !noted) return base::fail(noted.error());
  std::error_code error;
  fs::copy(what, *placed, fs::copy_options::recursive | fs::copy_options::copy_symlinks, error);
  if (error) return base::fail(base::system_error(error.value(), fmt::format("copy {} to", what.string()), *placed));
  if (auto synced = sync_file_system(*case_); !synced) return base::fail(synced.error());
  return placed;
}

std::uint64_t PrivateFolder::quarantine_bytes() const {
  return bytes_under(quarantine());
}

std::uint64_t bytes_under(const fs::path& path) {
  std::uint64_t total = 0;
  std::error_code error;
  fs::recursive_directory_iterator entry(path, fs::directory_options::skip_permission_denied, error);
  for (const fs::recursive_directory_iterator end; !error && entry != end; entry.increment(error)) {
    if (const auto found = stat_of(entry->path()); found && S_ISREG(found->st_mode)) {
      total += static_cast<std::uint64_t>(found->st_size);
    }
  }
  return total;
}

}  // namespace checkout
