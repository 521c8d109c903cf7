#include "harness/sweep/fault_address.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <regex>

#include "harness/stage/stage.h"

namespace sweep {

std::string Address::text() const {
  return fmt::format("boot {}: {} {} {} #{}", boot, process, syscall, path, occurrence);
}

std::string without_random_names(const std::string& path) {
  // mkstemp and mkdtemp, git's and libgit2's temporary names, object names, and numbers: process ids, dates, counters.
  static const std::regex random(
      R"((tmp_(?:obj|pack|idx|rev|bitmap|mtimes|graph)_|_git2_|git2_|[._-](?=[A-Za-z0-9]{6}$))[A-Za-z0-9]{6,}$)");
  static const std::regex hexadecimal(R"(\b[0-9a-f]{38,64}\b)");
  static const std::regex object_folder(R"(objects/[0-9a-f]{2}(?=/|$))");
  static const std::regex digits(R"([0-9]+)");
  std::string result = std::regex_replace(path, random, "$1*");
  result = std::regex_replace(result, hexadecimal, "#");
  result = std::regex_replace(result, object_folder, "objects/#");
  return std::regex_replace(result, digits, "#");
}

void PointFinder::boot_begins(int boot) {
  boot_ = boot;
  occurrences_.clear();
}

bool PointFinder::on_disk(const stage::Change& change) const {
  if (change.syscall.number == SYS_sync) return true;
  if (!change.path.starts_with('/') || change.path.ends_with(" (deleted)")) return false;
  for (const std::string_view folder : {"/proc", "/dev", "/sys", "/memfd:", "/anon_hugepage", "/SYSV"}) {
    if (change.path.starts_with(folder) &&
        (folder.ends_with(':') || change.path.size() == folder.size() || change.path[folder.size()] == '/'))
      return false;
  }
  return true;
}

namespace {

struct Existing {
  bool there = false;
  bool empty = true;
};

Existing look(pid_t process, const std::string& path) {
  struct stat status {};
  if (::lstat(fmt::format("/proc/{}/root{}", process, path).c_str(), &status) != 0) return {};
  return {true, S_ISREG(status.st_mode) && status.st_size == 0};
}

}  // namespace

static bool will_change(const stage::Change& change) {
  const pid_t process = change.process.id;
  switch (change.syscall.use) {
    case stage::Use::kOpen: {
      const Existing file = look(process, change.path);
      return change.opens_other || (file.there ? change.truncates && !file.empty : change.creates);
    }
    case stage::Use::kCreate:
      return !look(process, change.path).there;
    case stage::Use::kRemove:
    case stage::Use::kRename:
      return look(process, change.path).there;
    default:
      break;
  }
  switch (change.syscall.number) {
    case SYS_write:
    case SYS_pwrite64:
      return stage::argument(change.entry, 2) != 0;
    case SYS_mmap:  // what is written through it shows later
    case SYS_close:
    case SYS_sync_file_range:
      return false;
    default:
      return true;
  }
}

std::optional<Address> PointFinder::find(const stage::Change& change) {
  if (!on_disk(change)) return std::nullopt;
  // Closing is what sends data to a network volume, and may fail there; elsewhere it changes nothing.
  const bool closes = change.syscall.number == SYS_close;
  if (closes) {
    if (disks_.kind_of(change.path) != scenario::DiskKind::kNetworkVolume) return std::nullopt;
    const auto flags = stage::descriptor_flags(change.process.id, change.descriptor);
    if (!flags || (*flags & 3) == 0) return std::nullopt;  // opened for reading
  } else if (!will_change(change)) {
    return std::nullopt;
  }
  Address address{boot_, change.process.spawn_path, std::string(change.syscall.name), without_random_names(change.path),
                  0};
  address.occurrence = ++occurrences_[address.text()];
  return address;
}

}  // namespace sweep
