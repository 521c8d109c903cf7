// Calls that change a disk, at the moment they are about to be made. Whoever watches the stage says what becomes of
// each.
#pragma once

#include <sys/types.h>
#include <sys/user.h>

#include <cstdint>
#include <string>
#include <variant>

#include "harness/stage/syscalls.h"

namespace stage {

struct Process;

struct Change {
  const Process& process;
  const Syscall& syscall;
  pid_t thread;
  user_regs_struct entry;    // as the program made the call
  std::string path;          // of the file, or of the name that comes, goes or moves; no link on the way to it
  std::string second_path;   // where a rename leads to; the other name of a link; what a symbolic link holds
  int descriptor = -1;       // for calls on an open file
  bool creates = false;      // for opens: O_CREAT
  bool truncates = false;    // for opens: O_TRUNC
  bool opens_other = false;  // for opens: an anonymous file in the folder `path` (O_TMPFILE)
};

struct GoUnwatched {};  // changes no disk of the world: made, and not reported afterwards
struct GoOn {};         // made, and reported afterwards
struct FailWith {
  int error;
};
// Made with this many bytes only, and reported afterwards.
struct Shorten {
  std::uint64_t bytes;
};
// The watcher has sent SIGKILL: the call is not made.
struct Killed {};

using Order = std::variant<GoUnwatched, GoOn, FailWith, Shorten, Killed>;

}  // namespace stage
