// A note on the container's own disk that says which run this container works on, so that `podlaunch status` and
// `resume` need no arguments over SSH.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

namespace boot {

struct Pointer {
  std::string run;
  std::string folder;  // <state>/<run>
  std::string checkout;
  pid_t process = 0;
};

void leave_pointer(const Pointer& pointer);
std::optional<Pointer> find_pointer();

// Where the container's own disk holds what is ours: /var/lib/podlaunch, or below the home of an ordinary user.
std::string container_folder();

}  // namespace boot
