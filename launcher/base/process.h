#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "launcher/base/waiter.h"

namespace base {

struct Program {
  std::vector<std::string> arguments;                            // the first is looked up in PATH
  std::string folder;                                            // to run in; empty: ours
  std::vector<std::pair<std::string, std::string>> environment;  // added to ours
  int output = -1;                                               // becomes its stdout; -1: ours
  int errors = -1;                                               // becomes its stderr; -1: ours
  bool dies_with_launcher = true;  // SIGTERM when the launcher is gone, as long as the launcher isn't PID 1
  bool foreground = false;         // its group is handed the foreground of the terminal at our stdin
};

// fork(), tried again for some seconds where the machine has no process or memory to spare just now. 0 in the child.
// Errors: kBusy when a stop signal came first; kSystem.
Result<pid_t> fork_patiently(Waiter& waiter, const std::string& operation, Milliseconds patience = Seconds(10));

// Starts it in a process group of its own, whose id is the pid. A program that cannot be executed says so on its
// stderr and ends with 127 (not found) or 126, as a shell does it: the launcher never waits for an exec.
Result<pid_t> spawn(const Program& program, Waiter& waiter);

// Everything below us but `spared` and what is below those: SIGTERM to all at once, SIGKILL after `grace`, until
// nothing is left or nothing more dies: what `after_kill` does not end hangs in the kernel. Also finds what made itself
// a daemon, as long as we are its reaper.
void end_descendants(Waiter& waiter, const std::vector<pid_t>& spared, Milliseconds grace,
                     Milliseconds after_kill = Seconds(2));

// Also of one that has ended and whose end nobody has asked for. 0 when there is none, or it cannot be seen.
pid_t parent_of(pid_t process);

// It waits in the kernel and takes no signal, as for a disk that does not answer.
bool sits_in_kernel(pid_t process);

// All processes below us but `spared` and what is below those.
std::vector<pid_t> descendants(const std::vector<pid_t>& spared);

// Orphans below us become our children, as they do for PID 1.
void adopt_orphans();

}  // namespace base
