#include "harness/stage/syscalls.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>

namespace stage {

#define CALL(name) SYS_##name, #name

// Newer than the headers that this may be built with.
static constexpr long kFchmodat2 = 452;
static constexpr long kSetxattrat = 463;
static constexpr long kRemovexattrat = 466;
static constexpr long kFileSetattr = 469;

static constexpr Syscall kSyscalls[] = {
    {CALL(clock_gettime), Family::kClockRead},
    {CALL(gettimeofday), Family::kClockRead},
    {CALL(time), Family::kClockRead},
    {CALL(times), Family::kClockRead},
    {CALL(sysinfo), Family::kSystemInfo},
    {CALL(getrandom), Family::kRandom},

    {CALL(nanosleep), Family::kWait},
    {CALL(clock_nanosleep), Family::kWait},
    {CALL(poll), Family::kWait},
    {CALL(ppoll), Family::kWait},
    {CALL(select), Family::kWait},
    {CALL(pselect6), Family::kWait},
    {CALL(epoll_wait), Family::kWait},
    {CALL(epoll_pwait), Family::kWait},
    {CALL(epoll_pwait2), Family::kWait},
    {CALL(futex), Family::kWait},
    {CALL(futex_waitv), Family::kWait},
    {CALL(rt_sigtimedwait), Family::kWait},
    {CALL(semtimedop), Family::kWait},
    {CALL(mq_timedsend), Family::kWait},
    {CALL(mq_timedreceive), Family::kWait},

    {CALL(alarm), Family::kTimer},
    {CALL(setitimer), Family::kTimer},
    {CALL(getitimer), Family::kTimer},
    {CALL(timer_create), Family::kTimer},
    {CALL(timer_settime), Family::kTimer},
    {CALL(timer_gettime), Family::kTimer},
    {CALL(timer_delete), Family::kTimer},
    {CALL(timerfd_settime), Family::kTimer},
    {CALL(timerfd_gettime), Family::kTimer},

    {CALL(setsockopt), Family::kSocketOption},
    {CALL(connect), Family::kConnect},

    {CALL(fstat), Family::kFileTimes, Use::kLook, 0},
    {CALL(getdents64), Family::kListing, Use::kList, 0},
    {CALL(stat), Family::kPath, Use::kLook, -1, 0},
    {CALL(lstat), Family::kPath, Use::kLook, -1, 0},
    {CALL(newfstatat), Family::kPath, Use::kLook, 0, 1},
    {CALL(statx), Family::kPath, Use::kLook, 0, 1},
    {CALL(access), Family::kPath, Use::kLook, -1, 0},
    {CALL(faccessat), Family::kPath, Use::kLook, 0, 1},
    {CALL(faccessat2), Family::kPath, Use::kLook, 0, 1},
    {CALL(open), Family::kPath, Use::kOpen, -1, 0},
    {CALL(openat), Family::kPath, Use::kOpen, 0, 1},
    {CALL(openat2), Family::kPath, Use::kOpen, 0, 1},
    {CALL(creat), Family::kPath, Use::kOpen, -1, 0},
    {CALL(readlink), Family::kPath, Use::kReadLink, -1, 0},
    {CALL(readlinkat), Family::kPath, Use::kReadLink, 0, 1},
    {CALL(chdir), Family::kPath, Use::kEnter, -1, 0},
    {CALL(execve), Family::kPath, Use::kExecute, -1, 0},
    {CALL(execveat), Family::kPath, Use::kExecute, 0, 1},
    {CALL(unlink), Family::kPath, Use::kRemove, -1, 0},
    {CALL(unlinkat), Family::kPath, Use::kRemove, 0, 1},
    {CALL(rmdir), Family::kPath, Use::kRemove, -1, 0},
    {CALL(mkdir), Family::kPath, Use::kCreate, -1, 0},
    {CALL(mkdirat), Family::kPath, Use::kCreate, 0, 1},
    {CALL(mknod), Family::kPath, Use::kCreate, -1, 0},
    {CALL(mknodat), Family::kPath, Use::kCreate, 0, 1},
    {CALL(symlink), Family::kPath, Use::kCreate, -1, 1},
    {CALL(symlinkat), Family::kPath, Use::kCreate, 1, 2},
    {CALL(truncate), Family::kPath, Use::kModify, -1, 0},
    {CALL(rename), Family::kPath, Use::kRename, -1, 0, -1, 1},
    {CALL(renameat), Family::kPath, Use::kRename, 0, 1, 2, 3},
    {CALL(renameat2), Family::kPath, Use::kRename, 0, 1, 2, 3},
    {CALL(link), Family::kPath, Use::kCreate, -1, 1, -1, 0},
    {CALL(linkat), Family::kPath, Use::kCreate, 2, 3, 0, 1},

    {CALL(write), Family::kChange, Use::kModify, 0},
    {CALL(pwrite64), Family::kChange, Use::kModify, 0},
    {CALL(writev), Family::kChange, Use::kModify, 0},
    {CALL(pwritev), Family::kChange, Use::kModify, 0},
    {CALL(pwritev2), Family::kChange, Use::kModify, 0},
    {CALL(sendfile), Family::kChange, Use::kModify, 0},
    {CALL(copy_file_range), Family::kChange, Use::kModify, 2},
    {CALL(splice), Family::kChange, Use::kModify, 2},
    {CALL(ftruncate), Family::kChange, Use::kModify, 0},
    {CALL(fallocate), Family::kChange, Use::kModify, 0},
    {CALL(ioctl), Family::kChange, Use::kModify, 0},
    {CALL(mmap), Family::kChange, Use::kModify, 4},
    {CALL(fsync), Family::kChange, Use::kModify, 0},
    {CALL(fdatasync), Family::kChange, Use::kModify, 0},
    {CALL(sync_file_range), Family::kChange, Use::kModify, 0},
    {CALL(syncfs), Family::kChange, Use::kModify, 0},
    {CALL(sync), Family::kChange, Use::kModify},
    {CALL(close), Family::kChange, Use::kModify, 0},
    {CALL(fchmod), Family::kChange, Use::kModify, 0},
    {CALL(fchown), Family::kChange, Use::kModify, 0},
    {CALL(fsetxattr), Family::kChange, Use::kModify, 0},
    {CALL(fremovexattr), Family::kChange, Use::kModify, 0},
    {CALL(chmod), Family::kChange, Use::kModify, -1, 0},
    {CALL(fchmodat), Family::kChange, Use::kModify, 0, 1},
    {kFchmodat2, "fchmodat2", Family::kChange, Use::kModify, 0, 1},
    {CALL(chown), Family::kChange, Use::kModify, -1, 0},
    {CALL(lchown), Family::kChange, Use::kModify, -1, 0},
    {CALL(fchownat), Family::kChange, Use::kModify, 0, 1},
    {CALL(utime), Family::kChange, Use::kModify, -1, 0},
    {CALL(utimes), Family::kChange, Use::kModify, -1, 0},
    {CALL(futimesat), Family::kChange, Use::kModify, 0, 1},
    {CALL(utimensat), Family::kChange, Use::kModify, 0, 1},
    {CALL(setxattr), Family::kChange, Use::kModify, -1, 0},
    {CALL(lsetxattr), Family::kChange, Use::kModify, -1, 0},
    {CALL(removexattr), Family::kChange, Use::kModify, -1, 0},
    {CALL(lremovexattr), Family::kChange, Use::kModify, -1, 0},

    {CALL(io_submit), Family::kUnseen},
    {CALL(open_by_handle_at), Family::kUnseen},
    {kSetxattrat, "setxattrat", Family::kUnseen},
    {kRemovexattrat, "removexattrat", Family::kUnseen},
    {kFileSetattr, "file_setattr", Family::kUnseen},
    {CALL(io_uring_setup), Family::kRefused},
    {CALL(io_uring_enter), Family::kRefused},
    {CALL(io_uring_register), Family::kRefused},

    {CALL(read), Family::kDisk, Use::kLook, 0},
    {CALL(pread64), Family::kDisk, Use::kLook, 0},
    {CALL(readv), Family::kDisk, Use::kLook, 0},
    {CALL(preadv), Family::kDisk, Use::kLook, 0},
    {CALL(preadv2), Family::kDisk, Use::kLook, 0},
    {CALL(fstatfs), Family::kDisk, Use::kLook, 0},
    {CALL(statfs), Family::kDisk, Use::kLook, -1, 0},
    {CALL(inotify_add_watch), Family::kDisk, Use::kLook, -1, 1},
};

#undef CALL

std::span<const Syscall> trapped_syscalls() {
  return kSyscalls;
}

const Syscall* find_syscall(long number) {
  static const auto table = [] {
    std::array<const Syscall*, 512> by_number{};
    for (const Syscall& call : kSyscalls) by_number[static_cast<std::size_t>(call.number)] = &call;
    return by_number;
  }();
  return number >= 0 && number < 512 ? table[static_cast<std::size_t>(number)] : nullptr;
}

const Syscall* find_syscall(std::string_view name) {
  const auto* found = std::ranges::find(kSyscalls, name, &Syscall::name);
  return found == std::end(kSyscalls) ? nullptr : found;
}

static bool concerns(const Syscall& call, Troupe troupe, FaultPoints points) {
  if (call.family == Family::kChange || call.family == Family::kUnseen || call.family == Family::kRefused)
    return troupe == Troupe::kPod && points != FaultPoints::kIgnored;
  if (call.family == Family::kDisk) return troupe == Troupe::kPod && points == FaultPoints::kAll;
  if (troupe == Troupe::kPod) return true;
  // What services look at is the world's business; what they are told of time is not theirs to choose. `access` is how
  // they set marks.
  if (call.number == SYS_access) return true;
  return call.family != Family::kPath && call.family != Family::kListing && call.family != Family::kConnect;
}

static sock_filter statement(unsigned code, unsigned value) {
  return {static_cast<__u16>(code), 0, 0, value};
}
static sock_filter jump_if(unsigned value, unsigned yes, unsigned no) {
  return {BPF_JMP | BPF_JEQ | BPF_K, static_cast<__u8>(yes), static_cast<__u8>(no), value};
}

int install_filter(Troupe troupe, FaultPoints points) {
  constexpr unsigned kX32Bit = 0x40000000;
  constexpr unsigned kRefuse = SECCOMP_RET_ERRNO;
  std::array<sock_filter, 384> program{};
  std::size_t size = 0;
  const auto add = [&](sock_filter instruction) { program[size++] = instruction; };
  const auto when = [&](long number, unsigned action) {
    add(jump_if(static_cast<unsigned>(number), 0, 1));
    add(statement(BPF_RET | BPF_K, action));
  };

  add(statement(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)));
  add(jump_if(AUDIT_ARCH_X86_64, 1, 0));
  add(statement(BPF_RET | BPF_K, kRefuse | ENOSYS));
  add(statement(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)));
  add({BPF_JMP | BPF_JGE | BPF_K, 0, 1, kX32Bit});
  add(statement(BPF_RET | BPF_K, kRefuse | ENOSYS));
  add({BPF_JMP | BPF_JGE | BPF_K, 0, 1, static_cast<unsigned>(kFirstUnknownCall)});
  add(statement(BPF_RET | BPF_K, SECCOMP_RET_TRACE));
  for (const long number : {SYS_clock_settime, SYS_settimeofday, SYS_adjtimex, SYS_clock_adjtime}) {
    when(number, kRefuse | EPERM);
  }
  for (const Syscall& call : kSyscalls) {
    if (call.number == SYS_mmap || call.number == SYS_ioctl) continue;
    if (concerns(call, troupe, points)) {
      when(call.number, SECCOMP_RET_TRACE);
    } else if (call.family == Family::kRefused) {
      when(call.number, kRefuse | ENOSYS);
    }
  }
  if (concerns(*find_syscall(SYS_mmap), troupe, points)) {
    // Of mappings, only those through which a file can be written, now or once mprotect has allowed it; of ioctls, only
    // those that share blocks of files.
    add(jump_if(SYS_mmap, 0, 4));
    add(statement(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[3])));
    add({BPF_JMP | BPF_JSET | BPF_K, 0, 1, MAP_SHARED});
    add(statement(BPF_RET | BPF_K, SECCOMP_RET_TRACE));
    add(statement(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    add(jump_if(SYS_ioctl, 0, 4));
    add(statement(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[1])));
    add(jump_if(static_cast<unsigned>(FICLONE), 1, 0));
    add(jump_if(static_cast<unsigned>(FICLONERANGE), 0, 1));
    add(statement(BPF_RET | BPF_K, SECCOMP_RET_TRACE));
  }
  add(statement(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));

  const sock_fprog filter{static_cast<unsigned short>(size), program.data()};
  // Without SPEC_ALLOW the kernel turns speculation mitigations on for the tracee, which costs about a third.
  const long result = ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &filter);
  return result == 0 ? 0 : errno;
}

}  // namespace stage
