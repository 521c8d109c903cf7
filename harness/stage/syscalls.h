// The syscalls that the stage stops at, and the seccomp filter that stops there and nowhere else.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "harness/stage/tracee.h"

namespace stage {

enum class Family {
  kClockRead,     // answered by the stage
  kWait,          // blocks, perhaps with a timeout that the stage takes over
  kTimer,         // arms something that would go off later
  kSocketOption,  // may set a timeout for later calls
  kPath,          // looks at or changes something that has a name
  kFileTimes,     // returns file times
  kListing,       // reads a folder
  kConnect,       // goes out to the network
  kSystemInfo,    // tells how long the system is up
  kRandom,        // asks for random bytes
  kChange,        // changes a file without opening, naming or removing it; trapped only where fault points are watched
  kDisk,          // asks a disk for something through a descriptor; trapped only where disks can fail
  kUnseen,        // may change a file in a way that the stage does not follow; trapped where fault points are watched
  kRefused,       // what it begins would go on past the stage: answered with ENOSYS, and told of where kUnseen is
};

// How a path call uses its name.
enum class Use { kLook, kOpen, kExecute, kEnter, kReadLink, kList, kRemove, kCreate, kRename, kModify };

struct Syscall {
  long number;
  std::string_view name;
  Family family;
  // For kPath, kChange and kDisk: where the arguments are; -1 where there is none. A folder argument without a path
  // argument is the descriptor of the file itself.
  Use use = Use::kLook;
  int folder_argument = -1;  // descriptor that a relative path starts from
  int path_argument = -1;
  int second_folder_argument = -1;
  int second_path_argument = -1;
};

// Calls from this number on are newer than this table. They are trapped everywhere, and told of where they succeed.
inline constexpr long kFirstUnknownCall = 470;

const Syscall* find_syscall(long number);
const Syscall* find_syscall(std::string_view name);
std::span<const Syscall> trapped_syscalls();

// Installs the filter in the calling process, for itself and all it will execute. The process must be traced with
// PTRACE_O_TRACESECCOMP before its next trapped call, else that call fails with ENOSYS. Needs CAP_SYS_ADMIN in the
// caller's user namespace. Calls that would escape the stage are refused: io_uring (ENOSYS), setting the clock (EPERM),
// and 32-bit calls (ENOSYS). Returns 0 or errno; safe to call between fork and exec.
enum class FaultPoints {
  kIgnored,
  kWatched,  // calls of Family::kChange are trapped
  kAll,      // those of Family::kDisk as well
};
int install_filter(Troupe troupe, FaultPoints points = FaultPoints::kIgnored);

}  // namespace stage
