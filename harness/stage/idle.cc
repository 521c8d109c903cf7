// When does everybody wait?
//
// No syscall tells whether a tree of processes has come to rest. A look at /proc does for one thread at one moment, but
// a sequential look at many is not atomic: two processes that hand a token to and fro over a pipe can each be asleep at
// the moment they are looked at. Between two looks, though, a thread that ran at all has changed its count of context
// switches. So the world rests when two looks in a row find every thread asleep with the same counts, and neither the
// kernel nor a pipe has anything pending afterwards.
//
// Asleep means state S, and off the processor's queue: a thread that is preempted after it has declared itself asleep,
// but before it has looked whether there is anything to wait for, shows S and goes on by itself. /proc tells such a
// thread apart as "running" in the file that names its syscall. State D is work in progress, except for a parent that
// waits for its vfork child. A thread in a ptrace stop has something pending, except where the stage itself holds it.
//
// Packets on loopback are handed over by the kernel in its own time: under load both ends can be asleep while a packet
// is between them. So a connection with unacknowledged data, or in the middle of opening or closing, counts as pending,
// for as long as such a thing can take.
//
// A pod's first process that has been killed sleeps in the kernel until all others of its pod are gone. These may be
// past the tracer's sight by then, so as long as such a thing can take, the pod counts as ending and not as resting.
//
// A thread that waits in a call without a timeout of its own, on a socket that has one, is given its deadline here: it
// is enough to know it once the world rests, and so reads need not be trapped.
#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "harness/stage/stage.h"

namespace stage {

// A connection whose other end has stopped reading stays under way for ever; loopback never takes this long.
static constexpr Nanoseconds kPacketsTakeAtMost = kSecond / 2;
// Longer only where one of them sits in a driver that hangs.
static constexpr Nanoseconds kEndTakesAtMost = 2 * kSecond;

static bool event_pending() {
  siginfo_t info{};
  return ::waitid(P_ALL, 0, &info, WEXITED | WSTOPPED | WNOHANG | WNOWAIT | __WALL) == 0 && info.si_pid != 0;
}

// Whether a TCP connection of this network namespace has something under way.
static bool packets_under_way() {
  static const base::UniqueFd table(::open("/proc/thread-self/net/tcp", O_RDONLY | O_CLOEXEC));
  std::string text(16384, '\0');
  const ssize_t size = table.valid() ? ::pread(table.get(), text.data(), text.size(), 0) : 0;
  text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  for (auto line = text.find('\n'); line != std::string::npos && line + 1 < text.size();
       line = text.find('\n', line + 1)) {
    unsigned state = 0;
    unsigned long unsent = 0;
    if (std::sscanf(text.c_str() + line + 1, " %*d: %*s %*s %x %lx", &state, &unsent) != 2) continue;
    constexpr unsigned kListen = 10;
    constexpr unsigned kSettled = 1U << 1 | 1U << 5 | 1U << 6 | 1U << 7 | 1U << 8;  // open, waiting to close, or closed
    if (state != kListen && (unsent != 0 || (kSettled >> state & 1) == 0)) return true;
  }
  return false;
}

static bool is_exiting(pid_t id) {
  constexpr unsigned long kExiting = 0x4;  // PF_EXITING, in the ninth field of /proc/PID/stat
  base::UniqueFd file(::open(fmt::format("/proc/{}/stat", id).c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 512> buffer{};
  if (!file.valid() || ::read(file.get(), buffer.data(), buffer.size() - 1) <= 0) return false;
  const char* name_end = std::strrchr(buffer.data(), ')');
  unsigned long flags = 0;
  return name_end != nullptr && std::sscanf(name_end + 1, " %*c %*d %*d %*d %*d %*d %lu", &flags) == 1 &&
         (flags & kExiting) != 0;
}

bool Stage::a_pod_is_ending() const {
  return std::any_of(processes_.begin(), processes_.end(),
                     [](const auto& entry) { return entry.second->is_first && is_exiting(entry.first); });
}

bool Stage::everybody_waits() {
  ::sched_yield();
  if (event_pending()) return false;
  bool changed = false;
  if (!scan(changed)) return false;
  changed = false;
  if (!scan(changed) || changed) return false;
  if (event_pending() || watcher_.drain()) return false;
  if (packets_under_way() && real_now() - last_event_ < kPacketsTakeAtMost) return false;
  if (a_pod_is_ending() && real_now() - last_event_ < kEndTakesAtMost) return false;
  find_socket_deadlines();
  return true;
}

bool Stage::scan(bool& changed) {
  for (const auto& [id, thread] : threads_) {
    if (!look_at(*thread, changed)) return false;
  }
  return true;
}

static bool off_the_queue(Thread& thread) {
  if (!thread.syscall_file.valid()) {
    thread.syscall_file.reset(::open(fmt::format("/proc/{}/syscall", thread.id).c_str(), O_RDONLY | O_CLOEXEC));
  }
  std::array<char, 256> buffer{};
  const ssize_t size = ::pread(thread.syscall_file.get(), buffer.data(), buffer.size() - 1, 0);
  return size > 0 && !std::string_view(buffer.data()).starts_with("running");
}

bool Stage::look_at(Thread& thread, bool& changed) {
  if (thread.held && thread.waits_for_disk.empty()) return true;
  if (thread.stopped && !thread.held) return false;
  if (!thread.status_file.valid()) {
    thread.status_file.reset(::open(fmt::format("/proc/{}/status", thread.id).c_str(), O_RDONLY | O_CLOEXEC));
    if (!thread.status_file.valid()) return false;
  }
  std::array<char, 4096> buffer{};
  const ssize_t size = ::pread(thread.status_file.get(), buffer.data(), buffer.size() - 1, 0);
  if (size <= 0) return false;
  const char* state = std::strstr(buffer.data(), "\nState:\t");
  const char* switches = std::strstr(buffer.data(), "\nvoluntary_ctxt_switches:");
  if (state == nullptr || switches == nullptr) return false;
  std::string look = state[8] + std::string(switches);
  if (look != thread.last_look) {
    changed = true;
    thread.last_look = std::move(look);
  }
  if (thread.held) return state[8] == 't';  // else it has been killed, and is on its way
  switch (state[8]) {
    case 'S':
      return off_the_queue(thread);
    case 'Z':
    case 'X':
      return true;
    case 'D':
      return thread.waits_for_vfork;
    case 'T':
    case 't':
      return thread.listening;
    default:
      return false;
  }
}

std::vector<std::string> Stage::waiting() const {
  std::vector<std::string> result;
  for (const auto& [id, thread] : threads_) {
    if (!thread->process || thread->process->troupe != Troupe::kPod) continue;
    base::UniqueFd file(::open(fmt::format("/proc/{}/wchan", id).c_str(), O_RDONLY | O_CLOEXEC));
    std::array<char, 256> place{};
    if (file.valid()) (void)!::read(file.get(), place.data(), place.size() - 1);
    result.push_back(fmt::format("{} waits in {}", thread->process->spawn_path, place.data()));
  }
  return result;
}

// The descriptor a thread waits on, and whether it waits to receive; nothing when its call is of another kind.
static bool socket_wait(pid_t id, int& descriptor, bool& receives) {
  base::UniqueFd file(::open(fmt::format("/proc/{}/syscall", id).c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 256> buffer{};
  if (!file.valid() || ::read(file.get(), buffer.data(), buffer.size() - 1) <= 0) return false;
  long number = -1;
  unsigned long first = 0;
  if (std::sscanf(buffer.data(), "%ld %lx", &number, &first) != 2) return false;
  descriptor = static_cast<int>(first);
  switch (number) {
    case SYS_read:
    case SYS_readv:
    case SYS_recvfrom:
    case SYS_recvmsg:
    case SYS_accept:
    case SYS_accept4:
      receives = true;
      return true;
    case SYS_write:
    case SYS_writev:
    case SYS_sendto:
    case SYS_sendmsg:
    case SYS_connect:
      receives = false;
      return true;
    default:
      return false;
  }
}

void Stage::find_socket_deadlines() {
  for (const auto& [id, owner] : threads_) {
    Thread& thread = *owner;
    if (!thread.process || thread.call || thread.held) continue;
    if (thread.process->receive_timeouts.empty() && thread.process->send_timeouts.empty()) continue;
    if (thread.socket_deadline) {
      if (thread.socket_wait == thread.last_look) continue;
      cancel(*thread.socket_deadline);
      thread.socket_deadline.reset();
    }
    int descriptor = -1;
    bool receives = false;
    if (!socket_wait(id, descriptor, receives)) continue;
    const auto& timeouts = receives ? thread.process->receive_timeouts : thread.process->send_timeouts;
    const auto found = timeouts.find(descriptor);
    if (found == timeouts.end()) continue;
    thread.socket_wait = thread.last_look;
    thread.socket_deadline = at(clock_.now() + found->second, [this, waiting = id] {
      const auto still = threads_.find(waiting);
      if (still == threads_.end()) return;
      still->second->socket_deadline.reset();
      bool changed = false;
      if (!look_at(*still->second, changed) || changed) return;  // it went on by itself
      still->second->socket_expired = true;
      (void)::ptrace(PTRACE_INTERRUPT, waiting, nullptr, nullptr);
    });
  }
}

}  // namespace stage
