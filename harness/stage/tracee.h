// What the stage knows of a traced process and its threads, and how it reads and writes their memory.
#pragma once

#include <sys/types.h>
#include <sys/user.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/unique_fd.h"
#include "harness/stage/clock.h"

namespace stage {

// Which troupe a process belongs to: the pod under test, or a service of the world.
enum class Troupe { kPod, kService };

using TimerId = std::pair<Nanoseconds, std::uint64_t>;  // when, and in which order

// A timer of a process that the kernel would have run: alarm, setitimer, timer_create.
struct ProcessTimer {
  int signal = 0;
  int notify = 0;           // SIGEV_SIGNAL, SIGEV_THREAD_ID or SIGEV_NONE
  pid_t notify_thread = 0;  // the pod's number for it
  std::uint64_t value = 0;  // sigval
  int timer = 0;            // the id that timer_create gave
  Nanoseconds interval = 0;
  std::optional<TimerId> armed;
};

struct Process {
  pid_t id = 0;  // the tracer's number for it
  Troupe troupe = Troupe::kPod;
  bool is_first = false;    // the pod's first process: its end is the end of all others
  std::string program;      // path of the executable, as the pod sees it
  std::string parent_path;  // programs from the pod's first process down to its parent: "bash/git"
  std::string spawn_path;   // and to this one: "bash/git/git-remote-http"
  ProcessTimer alarm;       // ITIMER_REAL
  std::map<int, ProcessTimer> timers;
  std::map<int, Nanoseconds> receive_timeouts;  // by file descriptor
  std::map<int, Nanoseconds> send_timeouts;
  std::uint64_t draws = 0;  // how often it has asked for random bytes
  std::uint64_t random_seed = 0;
};

// A syscall that was trapped at its entry and whose end the stage wants to see.
struct Call {
  user_regs_struct entry{};         // as the program made it
  std::optional<TimerId> deadline;  // the stage took its timeout away and keeps it here
  Nanoseconds deadline_time = 0;
  bool rewritten = false;  // registers differ from `entry`; they are put back at the exit
  bool expired = false;    // the stage interrupted it at its deadline
  std::string path;        // for calls that name a file: absolute and normalised
  std::string second_path;
  bool watched = false;         // a change of a disk: reported when it returns
  std::string descriptor_path;  // for such a change through a descriptor: the file's name when the call was made
  long forced_result = 0;       // what the program sees in the place of the call's own result; 0: that one
  long number() const { return static_cast<long>(entry.orig_rax); }
};

struct Thread {
  pid_t id = 0;
  std::shared_ptr<Process> process;
  bool stopped = false;  // in a ptrace stop that the stage has seen and not ended
  bool held = false;     // its service is cut off, or its disk hangs: stays stopped until released
  int held_request = 0;  // how to go on, once released
  int held_signal = 0;
  std::string waits_for_disk;  // the mount path of the disk that hangs
  bool dies = false;           // has stopped on its way out
  bool waits_for_vfork = false;
  bool listening = false;  // stopped by job control
  std::optional<Call> call;
  std::optional<Call> restart;  // interrupted by a signal without a handler; the kernel will make this call again
  std::optional<TimerId> socket_deadline;  // of a blocked call on a socket with a timeout
  std::string socket_wait;                 // the look at which that deadline was set: another look, another wait
  bool socket_expired = false;
  std::string last_look;  // what /proc said at the last look for idleness
  base::UniqueFd status_file;
  base::UniqueFd syscall_file;
};

// Memory of a tracee. All return false when the tracee has died or the address is not mapped.
bool read_memory(pid_t id, std::uint64_t address, void* into, std::size_t size);
bool write_memory(pid_t id, std::uint64_t address, const void* from, std::size_t size);
// At most PATH_MAX bytes.
std::optional<std::string> read_string(pid_t id, std::uint64_t address);

template <class T>
std::optional<T> read_value(pid_t id, std::uint64_t address) {
  T value{};
  if (address == 0 || !read_memory(id, address, &value, sizeof value)) return std::nullopt;
  return value;
}

// Registers; false when the tracee has died, which the next wait reports.
bool get_registers(pid_t id, user_regs_struct& into);
bool set_registers(pid_t id, const user_regs_struct& from);

// What the descriptor of a process names, as /proc tells it; AT_FDCWD is the folder it works in. Empty when it has
// gone.
std::string name_of_descriptor(pid_t id, int descriptor);
// The flags that it was opened with, access mode included.
std::optional<unsigned long> descriptor_flags(pid_t id, int descriptor);
// The path that a call names, absolute and normalised; empty when it starts from something without a name. A negative
// folder argument: relative paths start from the working folder.
std::string path_of(pid_t id, const user_regs_struct& registers, int folder_argument, int path_argument);
// The flags of any of the calls that open; 0 for others.
std::uint64_t open_flags(pid_t id, const user_regs_struct& registers);

// The n-th argument of a syscall, counted from 0.
std::uint64_t argument(const user_regs_struct& registers, int n);
unsigned long long& argument(user_regs_struct& registers, int n);

// Makes clock reads trap: without the vDSO the C library asks the kernel. To be called at PTRACE_EVENT_EXEC.
// False when the auxiliary vector could not be found.
bool hide_vdso(pid_t id);

}  // namespace stage
