// Calls that reach a disk which has failed (disk_faults.h): what they touch, and the answer in the disk's place.
//
// A call is judged twice, by where it leads and by what it would do there. Where: a path is followed within the pod's
// own root, as the kernel would, up to the first name that is not there; a descriptor leads where /proc says. What: an
// error that the kernel would find before it asks the disk (the name exists already, the name does not exist) stays the
// kernel's to report.
//
// A call on a hanging disk is held in its ptrace stop. SIGKILL ends such a thread, as it ends one that waits for a
// network file system, unless the fault says that it cannot be killed: then it stops once more on its way out and its
// process stays, neither alive nor gone, until the disk comes back or the pod's first process goes.
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "harness/stage/paths.h"
#include "harness/stage/stage.h"

namespace stage {

static std::string link_of(const std::string& link) {
  std::array<char, 4096> buffer;
  const ssize_t size = ::readlink(link.c_str(), buffer.data(), buffer.size());
  return size > 0 && buffer[0] == '/' ? std::string(buffer.data(), static_cast<std::size_t>(size)) : std::string();
}

namespace {

struct Place {
  std::string path;  // absolute, in the pod, free of links; empty where it leads nowhere
  bool exists = false;
};

// What a call is about to do at one place.
struct Aim {
  Place place;
  Touch touch = Touch::kLook;
};

}  // namespace

static Place find_place(pid_t process, const std::string& path, bool follows) {
  base::UniqueFd root(::open(fmt::format("/proc/{}/root", process).c_str(), O_PATH | O_CLOEXEC));
  open_how how{};
  how.resolve = RESOLVE_IN_ROOT;
  std::string at = path;
  std::string missing;
  while (true) {
    how.flags = O_PATH | O_CLOEXEC | (follows || !missing.empty() ? 0U : O_NOFOLLOW);
    const char* name = at.empty() ? "/" : at.c_str();
    base::UniqueFd file(static_cast<int>(::syscall(SYS_openat2, root.get(), name, &how, sizeof how)));
    if (file.valid()) {
      std::string found = link_of(fmt::format("/proc/self/fd/{}", file.get()));
      if (found == "/" && !missing.empty()) found.clear();
      return {found + missing, missing.empty()};
    }
    if (at.empty()) return {path, false};
    const auto slash = at.rfind('/');
    missing = at.substr(slash) + missing;
    at.resize(slash);
  }
}

static Touch touch_of_open(std::uint64_t flags, bool exists) {
  if ((flags & O_PATH) != 0) return Touch::kLook;
  if ((flags & O_TMPFILE) == O_TMPFILE) return Touch::kMakeFile;
  if (!exists) return (flags & O_CREAT) != 0 ? Touch::kMakeFile : Touch::kLook;
  if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL)) return Touch::kLook;
  return (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC) != 0 ? Touch::kAlter : Touch::kLook;
}

static bool asks_to_write(const user_regs_struct& registers) {
  switch (static_cast<long>(registers.orig_rax)) {
    case SYS_access:
      return (argument(registers, 1) & W_OK) != 0;
    case SYS_faccessat:
    case SYS_faccessat2:
      return (argument(registers, 2) & W_OK) != 0;
    default:
      return false;
  }
}

static Touch touch_of(const Syscall& syscall, const user_regs_struct& registers, std::uint64_t flags, bool exists) {
  switch (syscall.number) {
    case SYS_fsync:
    case SYS_fdatasync:
    case SYS_syncfs:
    case SYS_sync_file_range:
      return Touch::kSync;
    case SYS_write:
    case SYS_pwrite64:
    case SYS_writev:
    case SYS_pwritev:
    case SYS_pwritev2:
    case SYS_sendfile:
    case SYS_copy_file_range:
    case SYS_splice:
    case SYS_fallocate:
      return Touch::kWrite;
    case SYS_mmap:
      return Touch::kLook;  // what is written through it is not seen
    case SYS_mkdir:
    case SYS_mkdirat:
      return exists ? Touch::kLook : Touch::kMakeFolder;
    default:
      break;
  }
  switch (syscall.use) {
    case Use::kOpen:
      return touch_of_open(flags, exists);
    case Use::kCreate:
      return exists ? Touch::kLook : Touch::kMakeFile;
    case Use::kRemove:
    case Use::kRename:
    case Use::kModify:
      return exists ? Touch::kAlter : Touch::kLook;
    default:
      return exists && asks_to_write(registers) ? Touch::kAlter : Touch::kLook;
  }
}

// Calls that copy have a second descriptor, which they read.
static std::optional<int> source_argument(long number) {
  if (number == SYS_sendfile) return 1;
  return number == SYS_copy_file_range || number == SYS_splice ? std::optional(0) : std::nullopt;
}

// The places a call names: one, two for renames, links and copies; none for what is no file.
static std::vector<Aim> aims_of(pid_t thread, const Syscall& syscall, const user_regs_struct& registers,
                                const PathArguments& arguments) {
  std::vector<Aim> aims;
  const auto add_path = [&](const std::string& path, bool follows) {
    if (path.empty()) return;
    Place place = find_place(thread, path, follows);
    const Touch touch = touch_of(syscall, registers, arguments.open_flags, place.exists);
    aims.push_back({std::move(place), touch});
  };
  const auto add_descriptor = [&](int number, bool reads) {
    const auto descriptor = static_cast<int>(argument(registers, number));
    Place place{link_of(fmt::format("/proc/{}/fd/{}", thread, descriptor)), true};
    if (!place.path.empty()) aims.push_back({place, reads ? Touch::kLook : touch_of(syscall, registers, 0, true)});
  };
  if (syscall.path_argument >= 0) {
    // utimensat and its like may name a descriptor alone.
    const bool names_descriptor = arguments.path.empty() && syscall.folder_argument >= 0;
    if (names_descriptor) add_descriptor(syscall.folder_argument, false);
    add_path(arguments.path, arguments.follows);
    add_path(arguments.second_path, false);
  } else {
    add_descriptor(syscall.folder_argument, false);
    if (const auto source = source_argument(syscall.number)) add_descriptor(*source, true);
  }
  return aims;
}

bool Stage::meets_disk_fault(Thread& thread, const Syscall& syscall, const user_regs_struct& registers) {
  const bool uses_disks = syscall.family == Family::kPath || syscall.family == Family::kChange ||
                          syscall.family == Family::kDisk || syscall.family == Family::kListing ||
                          syscall.family == Family::kFileTimes;
  // A close that fails has closed the descriptor all the same, and sync tells nobody of an error.
  const bool cannot_fail = syscall.number == SYS_close || syscall.number == SYS_sync;
  if (!disk_faults_.any() || !uses_disks || cannot_fail) return false;
  const PathArguments arguments =
      syscall.path_argument >= 0 ? path_arguments(thread.id, syscall, registers) : PathArguments{};
  if (arguments.path.starts_with(kMarkFolder)) return false;
  for (const Aim& aim : aims_of(thread.id, syscall, registers, arguments)) {
    const std::string disk = disk_faults_.disk_of(aim.place.path);
    const auto fault = disk_faults_.at(disk);
    if (!fault) continue;
    if (*fault == DiskFault::kHanging) {
      thread.held = true;
      thread.waits_for_disk = disk;
      return true;
    }
    const int error = error_of(*fault, aim.touch);
    if (error == 0) continue;
    if (syscall.family == Family::kPath) report_path(thread, syscall, arguments, -error);
    answer(thread, registers, -error);
    return true;
  }
  return false;
}

void Stage::fail_disk(const std::string& mount_path, DiskFault fault, bool unkillable) {
  disk_faults_.set(mount_path, fault);
  if (unkillable) unkillable_disks_.insert(mount_path);
  if (fault != DiskFault::kHanging) go_on_after_disk(mount_path);
}

void Stage::heal_disk(const std::string& mount_path) {
  disk_faults_.clear(mount_path);
  unkillable_disks_.erase(mount_path);
  go_on_after_disk(mount_path);
}

void Stage::go_on_after_disk(const std::string& mount_path) {
  std::vector<pid_t> waiting;
  for (const auto& [id, thread] : threads_) {
    if (thread->waits_for_disk == mount_path) waiting.push_back(id);
  }
  std::ranges::sort(waiting);
  for (const pid_t id : waiting) {
    Thread& thread = *threads_.at(id);
    thread.held = false;
    thread.waits_for_disk.clear();
    if (thread.dies) {
      resume(thread, PTRACE_CONT);
    } else {
      enter_call(thread, /*again=*/true);
    }
  }
}

// A thread on its way out. What waits for a disk and cannot be killed stays here; when the pod's first process goes,
// which takes all others along, nothing keeps them any more.
void Stage::leave_life(Thread& thread) {
  const bool ends_pod = thread.process->is_first && thread.id == thread.process->id;
  thread.dies = true;
  if (!ends_pod && unkillable_disks_.contains(thread.waits_for_disk)) return;
  thread.held = false;
  thread.waits_for_disk.clear();
  resume(thread, PTRACE_CONT);
  if (!ends_pod) return;
  for (const auto& [id, other] : threads_) {
    if (other->waits_for_disk.empty()) continue;
    other->waits_for_disk.clear();
    other->held = false;
    if (other->dies) resume(*other, PTRACE_CONT);  // the others are killed next, and stop here once more
  }
}

}  // namespace stage
