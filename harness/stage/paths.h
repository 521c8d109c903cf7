// What a call that names something says about it.
#pragma once

#include <sys/user.h>

#include <cstdint>
#include <string>

#include "harness/stage/syscalls.h"

namespace stage {

struct PathArguments {
  std::string path;         // absolute and normalised; empty when it starts from what is no folder, or cannot be read
  std::string second_path;  // the target of a rename or the source of a link
  std::uint64_t open_flags = 0;
  bool follows = false;  // a link at the end of the path is followed
};

PathArguments path_arguments(pid_t thread, const Syscall& syscall, const user_regs_struct& entry);

}  // namespace stage
