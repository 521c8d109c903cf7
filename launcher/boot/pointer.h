// A note that says which run this container works on and how its launcher was started, so that `podlaunch status`,
// `logs`, `resume` and `explain` need no arguments over SSH, where the container's environment is missing.
//
// It lies in /run, or where an ordinary user may write. The launcher that is the first process of the container keeps
// it against others that are started beside it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "launcher/config/config.h"

namespace boot {

struct Pointer {
  std::string run;
  std::string folder;  // <state>/<run>
  std::string checkout;
  pid_t process = 0;
  std::uint64_t born = 0;  // of the process, in the kernel's ticks: a number that comes again is another process
  std::string started_in;
  std::vector<std::string> arguments;  // as given to the launcher; readable by its user alone

  // Its launcher is still there.
  bool alive() const;
};

void leave_pointer(Pointer pointer);
std::optional<Pointer> find_pointer();

// The environment that the launcher was started with; ours when it cannot be read any more.
config::Environment environment_of(const Pointer& pointer, const config::Environment& ours);

// Where the container's own disk holds what is ours: /var/lib/podlaunch, or below the home of an ordinary user.
std::string container_folder();

}  // namespace boot
