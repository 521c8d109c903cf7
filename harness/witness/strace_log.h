// What strace's log of a process tree says about calls that change disks: how many of each, by each process.
#pragma once

#include <sys/types.h>

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <string>

namespace witness {

struct Caller {
  std::string process;  // programs from the first process down to it: "podlaunch/bash/python3.11"
  std::string syscall;
  std::string file;  // of calls on an open file; else empty
  auto operator<=>(const Caller&) const = default;
};
struct Tally {
  std::size_t calls = 0;
  std::uint64_t bytes = 0;  // the sum of what they returned
  bool operator==(const Tally&) const = default;
};
using Counts = std::map<Caller, Tally>;

// The words after strace's own "-e trace=". A call that this strace does not know is passed over.
std::string calls_to_trace();

// What a process that executes `path` is called from then on. Not the path's own last part where that is a link or a
// script.
using ProgramName = std::function<std::string(const std::string& path)>;

// Counts calls that succeeded and are about a file of a disk: no pipe, no socket, nothing of /proc, /dev and /sys. Of
// opens it counts those that may create or shorten a file, whether they do or not, since a log does not tell. `log` is
// of `strace -f -y --decode-pids=pidns`, and `first` the process that it was told to begin with.
Counts count_changes(const std::string& log, pid_t first, const ProgramName& program_name);

}  // namespace witness
