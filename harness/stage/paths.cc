// Calls that name something: what was looked at, what was changed, and file times in the world's time.
#include "harness/stage/paths.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <netinet/in.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <vector>

#include "harness/stage/stage.h"

namespace stage {

std::string normalise(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    const auto slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      parts.push_back(part);
    } else if (!parts.empty()) {
      parts.pop_back();
    }
  }
  std::string result;
  for (const auto part : parts) result.append("/").append(part);
  return result.empty() ? "/" : result;
}

std::string name_of_descriptor(pid_t id, int descriptor) {
  const std::string link =
      descriptor == AT_FDCWD ? fmt::format("/proc/{}/cwd", id) : fmt::format("/proc/{}/fd/{}", id, descriptor);
  std::array<char, 4096> buffer;
  const ssize_t size = ::readlink(link.c_str(), buffer.data(), buffer.size());
  return size < 0 ? std::string() : std::string(buffer.data(), static_cast<std::size_t>(size));
}

std::string path_of(pid_t id, const user_regs_struct& registers, int folder_argument, int path_argument) {
  const auto text = read_string(id, argument(registers, path_argument));
  if (!text) return {};
  if (text->starts_with('/')) return normalise(*text);
  const int folder = folder_argument < 0 ? AT_FDCWD : static_cast<int>(argument(registers, folder_argument));
  const std::string base = name_of_descriptor(id, folder);
  if (!base.starts_with('/')) return {};  // a pipe, a socket, or a process that has gone
  return normalise(base + "/" + *text);
}

std::uint64_t open_flags(pid_t id, const user_regs_struct& registers) {
  switch (static_cast<long>(registers.orig_rax)) {
    case SYS_open:
      return argument(registers, 1);
    case SYS_openat:
      return argument(registers, 2);
    case SYS_creat:
      return O_CREAT | O_WRONLY | O_TRUNC;
    case SYS_openat2: {
      const auto how = read_value<open_how>(id, argument(registers, 2));
      return how ? how->flags : 0;
    }
    default:
      return 0;
  }
}

static bool writes(std::uint64_t flags) {
  return (flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC)) != 0;
}

static bool changes(const Syscall& syscall, std::uint64_t flags) {
  switch (syscall.use) {
    case Use::kOpen:
      return writes(flags);
    case Use::kRemove:
    case Use::kCreate:
    case Use::kRename:
    case Use::kModify:
      return true;
    default:
      return false;
  }
}

static bool follows(const Syscall& syscall, const user_regs_struct& registers, std::uint64_t flags) {
  switch (syscall.number) {
    case SYS_lstat:
    case SYS_readlink:
    case SYS_readlinkat:
      return false;
    case SYS_newfstatat:
      return (argument(registers, 3) & AT_SYMLINK_NOFOLLOW) == 0;
    case SYS_statx:
      return (argument(registers, 2) & AT_SYMLINK_NOFOLLOW) == 0;
    case SYS_faccessat2:
      return (argument(registers, 3) & AT_SYMLINK_NOFOLLOW) == 0;
    default:
      break;
  }
  if (syscall.family == Family::kChange || syscall.family == Family::kDisk) return syscall.number != SYS_lchown;
  return syscall.use == Use::kOpen ? (flags & O_NOFOLLOW) == 0 : !changes(syscall, flags);
}

PathArguments path_arguments(pid_t thread, const Syscall& syscall, const user_regs_struct& entry) {
  PathArguments result;
  result.path = path_of(thread, entry, syscall.folder_argument, syscall.path_argument);
  if (syscall.second_path_argument >= 0) {
    result.second_path = path_of(thread, entry, syscall.second_folder_argument, syscall.second_path_argument);
  }
  if (syscall.use == Use::kOpen) result.open_flags = open_flags(thread, entry);
  result.follows = follows(syscall, entry, result.open_flags);
  return result;
}

void Stage::enter_path(Thread& thread, const Syscall& syscall, const user_regs_struct& registers) {
  Call call;
  call.entry = registers;
  PathArguments arguments = path_arguments(thread.id, syscall, registers);
  call.path = std::move(arguments.path);
  call.second_path = std::move(arguments.second_path);
  if (call.path.starts_with(kMarkFolder)) {
    const int error = watcher_.mark(*thread.process, call.path.substr(kMarkFolder.size()));
    return answer(thread, registers, -error);
  }
  if (thread.process->troupe == Troupe::kService) return resume(thread, PTRACE_CONT);
  const bool changes_disk = changes(syscall, arguments.open_flags);
  if (changes_disk) clock_.separate_stamps();
  if (watches_changes_ && changes_disk) {
    thread.call = call;
    if (interpose(thread, describe_change(thread, syscall, call))) return;
    call.watched = thread.call->watched;
  }
  const std::string other = syscall.use == Use::kOpen ? watcher_.instead_of(call.path) : std::string();
  thread.call = std::move(call);
  if (!other.empty()) open_instead(thread, syscall, other);
  resume(thread, PTRACE_SYSCALL);
}

void Stage::open_instead(Thread& thread, const Syscall& syscall, const std::string& other) {
  // Below the stack pointer and the 128 bytes under it that a function may use; put back when the call returns.
  user_regs_struct registers = thread.call->entry;
  const std::uint64_t address = registers.rsp - 128 - 512;
  if (other.size() >= 512 || !write_memory(thread.id, address, other.c_str(), other.size() + 1)) return;
  (syscall.path_argument == 0 ? registers.rdi : registers.rsi) = address;
  thread.call->rewritten = set_registers(thread.id, registers);
}

void Stage::leave_path(Thread& thread, const Syscall& syscall, const user_regs_struct& registers) {
  const Call& call = *thread.call;
  const long result = static_cast<long>(registers.rax);
  if (call.rewritten) {
    user_regs_struct restored = registers;
    restored.rdi = call.entry.rdi;
    restored.rsi = call.entry.rsi;
    set_registers(thread.id, restored);
  }
  if (syscall.use == Use::kLook && result == 0) map_times(thread, registers);
  const std::uint64_t flags = syscall.use == Use::kOpen ? open_flags(thread.id, call.entry) : 0;
  report_path(thread, syscall,
              PathArguments{.path = call.path,
                            .second_path = call.second_path,
                            .open_flags = flags,
                            .follows = follows(syscall, call.entry, flags)},
              result);
}

void Stage::report_path(const Thread& thread, const Syscall& syscall, const PathArguments& arguments, long result) {
  if (arguments.path.empty()) return;
  const std::uint64_t flags = arguments.open_flags;
  watcher_.path_used(PathUse{.process = *thread.process,
                             .syscall = syscall,
                             .path = arguments.path,
                             .second_path = arguments.second_path,
                             .result = result,
                             .writes = changes(syscall, flags),
                             .creates = (flags & O_CREAT) != 0,
                             .truncates = (flags & O_TRUNC) != 0,
                             .reads = (flags & O_ACCMODE) != O_WRONLY || (flags & (O_APPEND | O_TRUNC)) == 0,
                             .exclusive = (flags & O_EXCL) != 0,
                             .follows = arguments.follows});
}

void Stage::report_listing(Thread& thread, const user_regs_struct& registers) {
  const long result = static_cast<long>(registers.rax);
  const std::string path = name_of_descriptor(thread.id, static_cast<int>(argument(thread.call->entry, 0)));
  if (result < 0 || !path.starts_with('/')) return;
  static const Syscall& syscall = *find_syscall(SYS_getdents64);
  watcher_.path_used(PathUse{.process = *thread.process,
                             .syscall = syscall,
                             .path = path,
                             .second_path = path,
                             .result = result,
                             .writes = false,
                             .creates = false,
                             .truncates = false,
                             .reads = true,
                             .exclusive = false,
                             .follows = true});
}

void Stage::map_times(Thread& thread, const user_regs_struct& registers) {
  if (static_cast<long>(registers.rax) != 0) return;
  const user_regs_struct& entry = thread.call->entry;
  const auto map = [&](std::int64_t& seconds, auto& fraction) {
    const Nanoseconds mapped = clock_.map_file_time(seconds * kSecond + fraction);
    seconds = mapped / kSecond;
    fraction = static_cast<std::remove_reference_t<decltype(fraction)>>(mapped % kSecond);
  };
  const auto map_stat = [&](std::uint64_t address) {
    auto status = read_value<struct stat>(thread.id, address);
    if (!status) return;
    for (timespec* time : {&status->st_atim, &status->st_mtim, &status->st_ctim}) map(time->tv_sec, time->tv_nsec);
    write_memory(thread.id, address, &*status, sizeof *status);
  };
  switch (static_cast<long>(entry.orig_rax)) {
    case SYS_stat:
    case SYS_lstat:
    case SYS_fstat:
      return map_stat(argument(entry, 1));
    case SYS_newfstatat:
      return map_stat(argument(entry, 2));
    case SYS_statx: {
      auto status = read_value<struct statx>(thread.id, argument(entry, 4));
      if (!status) return;
      for (statx_timestamp* time : {&status->stx_atime, &status->stx_btime, &status->stx_ctime, &status->stx_mtime}) {
        std::int64_t seconds = time->tv_sec;
        map(seconds, time->tv_nsec);
        time->tv_sec = seconds;
      }
      write_memory(thread.id, argument(entry, 4), &*status, sizeof *status);
      return;
    }
    default:
      return;
  }
}

void Stage::enter_connect(Thread& thread, const user_regs_struct& registers) {
  const auto family = read_value<sa_family_t>(thread.id, argument(registers, 1));
  Peer peer{.is_local = family == AF_UNIX};
  // In both families of internet addresses the port comes first.
  if (family == AF_INET || family == AF_INET6) {
    const auto port = read_value<in_port_t>(thread.id, argument(registers, 1) + offsetof(sockaddr_in, sin_port));
    peer.port = ntohs(port.value_or(0));
  }
  const int error = family ? watcher_.connecting(*thread.process, peer) : 0;
  if (error != 0) return answer(thread, registers, -error);
  resume(thread, PTRACE_CONT);
}

}  // namespace stage
