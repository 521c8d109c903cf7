#include "harness/pod/observation.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <regex>

#include "base/unique_fd.h"

namespace pod {

static bool of_the_kernel(const std::string& path) {
  for (const std::string_view folder : {"/proc", "/dev", "/sys"}) {
    if (path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/')) return true;
  }
  return false;
}

// Names that a program draws at random say nothing but that they are new.
static std::string without_random_part(const std::string& path) {
  static const std::regex random(R"(((?:tmp|temp)[A-Za-z]*[._-](?:[a-z]+[._-])?)[A-Za-z0-9_]{6,8}$)");
  if (path.find("tmp") == std::string::npos && path.find("temp") == std::string::npos) return path;
  return std::regex_replace(path, random, "$1*");
}

// Where `path` leads when links are followed, inside the pod; empty when it leads nowhere.
static std::string resolve(pid_t process, const std::string& path) {
  base::UniqueFd root(::open(fmt::format("/proc/{}/root", process).c_str(), O_PATH | O_CLOEXEC));
  if (!root.valid()) return {};
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT;
  base::UniqueFd file(static_cast<int>(::syscall(SYS_openat2, root.get(), path.c_str(), &how, sizeof how)));
  if (!file.valid()) return {};
  std::array<char, 4096> target;
  const ssize_t size = ::readlink(fmt::format("/proc/self/fd/{}", file.get()).c_str(), target.data(), target.size());
  return size > 0 && target[0] == '/' ? std::string(target.data(), static_cast<std::size_t>(size)) : std::string();
}

bool Observation::own(const std::string& path) const {
  if (written_.empty()) return false;
  for (std::string at = path; !at.empty(); at.resize(at.rfind('/'))) {
    if (written_.contains(at)) return true;
  }
  return false;
}

void Observation::observe(const stage::PathUse& use, const std::string& path, ObservationKind kind) {
  if (of_the_kernel(path) || own(path)) return;
  if (!read_set_.emplace(without_random_part(path), kind).second || !use.follows || kind == ObservationKind::kAbsent)
    return;
  const std::string target = resolve(use.process.id, path);
  if (target.empty() || target == path) return;
  read_set_.emplace(path, ObservationKind::kLink);
  if (!of_the_kernel(target) && !own(target)) read_set_.emplace(target, kind);
}

static bool absent(long result) {
  return result == -ENOENT || result == -ENOTDIR;
}

void Observation::note_open(const stage::PathUse& use) {
  if (use.result < 0)
    return observe(use, use.path, absent(use.result) ? ObservationKind::kAbsent : ObservationKind::kStat);
  if (!use.writes) return observe(use, use.path, ObservationKind::kContent);
  if (use.exclusive) observe(use, use.path, ObservationKind::kAbsent);
  const bool whole = use.truncates || use.exclusive;
  if (use.reads && !whole) observe(use, use.path, ObservationKind::kContent);
  if (!use.creates) observe(use, use.path, ObservationKind::kStat);
  if (whole) written_.insert(use.path);
}

void Observation::note_change(const stage::PathUse& use) {
  using stage::Use;
  if (use.result < 0) {
    const bool in_the_way = use.result == -EEXIST || use.result == -ENOTEMPTY;
    observe(use, use.path, in_the_way ? ObservationKind::kStat : ObservationKind::kAbsent);
    if (in_the_way && use.result == -ENOTEMPTY) observe(use, use.path, ObservationKind::kListing);
    return;
  }
  switch (use.syscall.use) {
    case Use::kCreate:
      observe(use, use.path, ObservationKind::kAbsent);
      if (!use.second_path.empty()) observe(use, use.second_path, ObservationKind::kContent);
      break;
    case Use::kRemove:
      observe(use, use.path, ObservationKind::kStat);
      break;
    case Use::kRename:
      // The content moves, unseen: whoever reads the target later reads what lay at the source.
      observe(use, use.path, ObservationKind::kContent);
      written_.insert(use.second_path);
      break;
    default:
      observe(use, use.path, ObservationKind::kContent);
      break;
  }
  written_.insert(use.path);
}

void Observation::note(const stage::PathUse& use) {
  using stage::Use;
  switch (use.syscall.use) {
    case Use::kOpen:
      return note_open(use);
    case Use::kCreate:
    case Use::kRemove:
    case Use::kRename:
    case Use::kModify:
      return note_change(use);
    case Use::kList:
      return observe(use, use.path, ObservationKind::kListing);
    default:
      break;
  }
  if (absent(use.result)) return observe(use, use.path, ObservationKind::kAbsent);
  if (use.result < 0) return observe(use, use.path, ObservationKind::kStat);
  switch (use.syscall.use) {
    case Use::kExecute:
      return observe(use, use.path, ObservationKind::kContent);
    case Use::kReadLink:
      return observe(use, use.path, ObservationKind::kLink);
    default:
      return observe(use, use.path, ObservationKind::kStat);
  }
}

std::set<std::pair<std::string, ObservationKind>> Observation::take_read_set() {
  written_.clear();
  return std::move(read_set_);
}

}  // namespace pod
