#include "harness/stage/stage.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/check.h"

namespace stage {

static constexpr int kSyscallStop = SIGTRAP | 0x80;
static constexpr int kEventStop = 128;  // PTRACE_EVENT_STOP

Nanoseconds real_now() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * kSecond + now.tv_nsec;
}

static std::string link_target(const std::string& path) {
  std::array<char, 4096> buffer;
  const ssize_t size = ::readlink(path.c_str(), buffer.data(), buffer.size());
  return size < 0 ? std::string() : std::string(buffer.data(), static_cast<std::size_t>(size));
}

static pid_t process_of(pid_t thread) {
  base::UniqueFd file(::open(fmt::format("/proc/{}/status", thread).c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 1024> buffer{};
  if (!file.valid() || ::read(file.get(), buffer.data(), buffer.size() - 1) <= 0) return 0;
  const char* line = std::strstr(buffer.data(), "\nTgid:");
  return line == nullptr ? 0 : std::atoi(line + 6);
}

static std::string base_name(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

Stage::Stage(VirtualClock& clock, Watcher& watcher)
    : clock_(clock), watcher_(watcher), last_event_(real_now()), last_jump_(last_event_) {
  // Blocked, so that wait_for_event can take it in sigtimedwait and none is lost between a look and the wait.
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &child, nullptr);
}

Stage::~Stage() {
  // PTRACE_O_EXITKILL would end them with this process; here they end with the stage.
  for (const auto& [id, process] : processes_) ::kill(id, SIGKILL);
  int status = 0;
  while (!threads_.empty()) {
    const pid_t id = ::waitpid(-1, &status, __WALL);
    if (id < 0) break;
    if (WIFEXITED(status) || WIFSIGNALED(status)) {
      threads_.erase(id);
    } else {
      ::ptrace(PTRACE_CONT, id, nullptr, nullptr);
    }
  }
}

base::Result<void> Stage::adopt(pid_t child, Troupe troupe, bool is_first) {
  long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEVFORKDONE |
                 PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL;
  if (disks_can_fail_ && troupe == Troupe::kPod) options |= PTRACE_O_TRACEEXIT;
  if (::ptrace(PTRACE_SEIZE, child, nullptr, options) != 0) {
    return base::fail(base::system_error(errno, "trace the start command", {},
                                         "simrun needs ptrace: allow it (kernel.yama.ptrace_scope below 3; in a "
                                         "container, a seccomp profile that permits ptrace)"));
  }
  auto process = std::make_shared<Process>();
  process->id = child;
  process->troupe = troupe;
  process->is_first = troupe == Troupe::kPod && is_first;
  processes_[child] = process;
  auto thread = std::make_unique<Thread>();
  thread->id = child;
  thread->process = std::move(process);
  threads_[child] = std::move(thread);
  return {};
}

Pause Stage::run() {
  stop_requested_ = false;
  while (!stop_requested_) {
    int status = 0;
    const pid_t id = ::waitpid(-1, &status, __WALL | WNOHANG);
    if (id > 0) {
      last_event_ = real_now();
      handle(id, status);
      continue;
    }
    const bool nobody = threads_.empty();
    if (watcher_.drain()) continue;
    if (!timers_.empty() && timers_.begin()->first.first <= clock_.now()) {
      auto timer = timers_.extract(timers_.begin());
      timer.mapped()();
      continue;
    }
    if (!nobody && !everybody_waits()) {
      wait_for_event();
      continue;
    }
    if (timers_.empty()) return nobody ? Pause::kEmpty : Pause::kDeadlock;
    clock_.jump_to(timers_.begin()->first.first);
    last_jump_ = real_now();
    computed_.clear();
  }
  return Pause::kStopped;
}

// Computation that goes on for a second without any jump is charged from then on, else a busy loop beside a sleeper
// would never let it wake. What counts is the processor time of the world, not how busy the machine is with other
// things.
void Stage::charge_computation() {
  constexpr Nanoseconds kFree = kSecond;
  constexpr Nanoseconds kBetweenMeasures = kSecond / 50;
  const Nanoseconds now = real_now();
  if (now - last_jump_ < kFree || now - last_measure_ < kBetweenMeasures) return;
  Nanoseconds spent = 0;
  for (const auto& [id, process] : processes_) {
    clockid_t clock = 0;
    timespec time{};
    if (::clock_getcpuclockid(id, &clock) != 0 || ::clock_gettime(clock, &time) != 0) continue;
    const Nanoseconds total = time.tv_sec * kSecond + time.tv_nsec;
    const auto [known, is_new] = computed_.try_emplace(id, total);
    spent += total - known->second;
    known->second = total;
  }
  // The first measure after a jump only shows where each process stands.
  if (last_measure_ > last_jump_) clock_.charge_computation(spent);
  last_measure_ = now;
}

void Stage::wait_for_event() {
  charge_computation();
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  const timespec moment{0, 200'000};
  ::sigtimedwait(&child, nullptr, &moment);
}

TimerId Stage::at(Nanoseconds when, std::function<void()> action) {
  const TimerId id{when, next_order_++};
  timers_.emplace(id, std::move(action));
  return id;
}

Thread& Stage::thread_for(pid_t id) {
  auto& slot = threads_[id];
  if (!slot) {
    slot = std::make_unique<Thread>();
    slot->id = id;
  }
  return *slot;
}

void Stage::handle(pid_t id, int status) {
  ++stops_;
  if (WIFEXITED(status) || WIFSIGNALED(status)) {
    const auto found = threads_.find(id);
    if (found != threads_.end()) handle_end(*found->second, status);
    return;
  }
  if (!WIFSTOPPED(status)) return;
  Thread& thread = thread_for(id);
  thread.stopped = true;
  // A child may stop before its parent's report of it: it goes on once that has come.
  if (!thread.process) return;
  const int event = status >> 16;
  if (event != 0) {
    handle_event(thread, event, status);
  } else if (WSTOPSIG(status) == kSyscallStop) {
    leave_call(thread);
  } else {
    deliver_signal(thread, WSTOPSIG(status));
  }
}

void Stage::handle_event(Thread& thread, int event, int status) {
  const int go_on = thread.call ? PTRACE_SYSCALL : PTRACE_CONT;
  switch (event) {
    case PTRACE_EVENT_SECCOMP:
      enter_call(thread);
      return;
    case PTRACE_EVENT_EXEC:
      handle_exec(thread);
      return;
    case PTRACE_EVENT_FORK:
    case PTRACE_EVENT_VFORK:
    case PTRACE_EVENT_CLONE:
      handle_new_child(thread, event);
      break;
    case PTRACE_EVENT_VFORK_DONE:
      thread.waits_for_vfork = false;
      break;
    case PTRACE_EVENT_EXIT:
      leave_life(thread);
      return;
    case kEventStop: {
      const int signal = WSTOPSIG(status);
      if (signal != SIGTRAP) {
        thread.listening = true;
        ::ptrace(PTRACE_LISTEN, thread.id, nullptr, nullptr);
        thread.stopped = false;
        return;
      }
      thread.listening = false;
      if (thread.socket_expired) {
        thread.socket_expired = false;
        user_regs_struct registers{};
        // Interrupted at its deadline: it ends the way a socket timeout ends.
        if (get_registers(thread.id, registers) && static_cast<long>(registers.rax) == -512) {
          registers.rax = static_cast<unsigned long long>(-EAGAIN);
          registers.orig_rax = static_cast<unsigned long long>(-1);
          set_registers(thread.id, registers);
        }
      }
      break;
    }
    default:
      break;
  }
  resume(thread, go_on);
}

void Stage::handle_new_child(Thread& parent, int event) {
  unsigned long message = 0;
  if (::ptrace(PTRACE_GETEVENTMSG, parent.id, nullptr, &message) != 0) return;
  const auto id = static_cast<pid_t>(message);
  if (event == PTRACE_EVENT_VFORK) parent.waits_for_vfork = true;
  Thread& child = thread_for(id);
  const pid_t leader = process_of(id);
  if (leader == parent.process->id) {
    child.process = parent.process;
  } else {
    auto process = std::make_shared<Process>();
    process->id = id;
    process->troupe = parent.process->troupe;
    process->program = parent.process->program;
    process->parent_path = parent.process->spawn_path;
    process->spawn_path = parent.process->spawn_path;
    process->receive_timeouts = parent.process->receive_timeouts;
    process->send_timeouts = parent.process->send_timeouts;
    processes_[id] = process;
    child.process = std::move(process);
  }
  if (child.stopped) resume(child, PTRACE_CONT);
}

void Stage::handle_exec(Thread& thread) {
  unsigned long message = 0;
  if (::ptrace(PTRACE_GETEVENTMSG, thread.id, nullptr, &message) == 0 && static_cast<pid_t>(message) != thread.id) {
    // Another thread than the leader called exec: it goes on under the leader's number, and its own is gone.
    const auto former = threads_.find(static_cast<pid_t>(message));
    if (former != threads_.end()) {
      thread.call = std::move(former->second->call);
      threads_.erase(former);
    }
  }
  Process& process = *thread.process;
  process.program = link_target(fmt::format("/proc/{}/exe", thread.id));
  const std::string name = base_name(process.program);
  process.spawn_path = process.parent_path.empty() ? name : process.parent_path + "/" + name;
  drop_timers(process, /*also_alarm=*/false);
  if (!hide_vdso(thread.id))
    not_covered_.insert("clock reads of " + process.program + " (its vDSO could not be hidden)");
  if (process.troupe == Troupe::kPod) watcher_.executed(process);
  resume(thread, thread.call ? PTRACE_SYSCALL : PTRACE_CONT);
}

void Stage::handle_end(Thread& thread, int status) {
  const std::shared_ptr<Process> process = thread.process;
  const pid_t id = thread.id;
  if (thread.call) drop_deadline(*thread.call);
  if (thread.socket_deadline) cancel(*thread.socket_deadline);
  threads_.erase(id);
  if (!process || process->id != id) return;
  drop_timers(*process, /*also_alarm=*/true);
  processes_.erase(id);
  watcher_.ended(*process, base::WaitStatus::from_raw(status));
}

void Stage::enter_call(Thread& thread, bool again) {
  user_regs_struct registers{};
  if (!get_registers(thread.id, registers)) return;
  const Syscall* syscall = find_syscall(static_cast<long>(registers.orig_rax));
  if (syscall == nullptr) {  // newer than the table
    thread.call.emplace().entry = registers;
    return resume(thread, PTRACE_SYSCALL);
  }
  if (thread.process->troupe == Troupe::kPod) {
    if (!again) watcher_.syscall_entered(*thread.process, *syscall);
    if (meets_disk_fault(thread, *syscall, registers)) return;
  }
  switch (syscall->family) {
    case Family::kClockRead:
      return enter_clock_read(thread, registers);
    case Family::kWait:
      return enter_wait(thread, registers);
    case Family::kTimer:
      return enter_timer(thread, registers);
    case Family::kSocketOption:
      return enter_socket_option(thread, registers);
    case Family::kPath:
      return enter_path(thread, *syscall, registers);
    case Family::kConnect:
      return enter_connect(thread, registers);
    case Family::kChange:
      if (!watches_changes_) return resume(thread, PTRACE_CONT);
      return enter_change(thread, *syscall, registers);
    case Family::kRandom:
      return enter_random(thread, registers);
    case Family::kRefused:
      note_unseen(thread, syscall->name, "which was refused: what it would have done by it is not played");
      return answer(thread, registers, -ENOSYS);
    case Family::kFileTimes:
    case Family::kListing:
    case Family::kSystemInfo:
    case Family::kUnseen:
      thread.call.emplace().entry = registers;
      return resume(thread, PTRACE_SYSCALL);
    case Family::kDisk:
      return resume(thread, PTRACE_CONT);
  }
}

void Stage::leave_call(Thread& thread) {
  user_regs_struct registers{};
  if (!thread.call || !get_registers(thread.id, registers)) return resume(thread, PTRACE_CONT);
  const Syscall* syscall = find_syscall(thread.call->number());
  const bool succeeded = static_cast<long>(registers.rax) >= 0;
  if (syscall == nullptr) {
    if (succeeded)
      note_unseen(thread, fmt::format("call number {}", thread.call->number()), "which this simrun does not know");
    thread.call.reset();
    return resume(thread, PTRACE_CONT);
  }
  switch (syscall->family) {
    case Family::kUnseen:
      if (succeeded) note_unseen(thread, syscall->name, "which may change files unseen");
      break;
    case Family::kWait:
      leave_wait(thread, registers);
      break;
    case Family::kTimer:
      leave_timer(thread, registers);
      break;
    case Family::kPath:
      leave_path(thread, *syscall, registers);
      if (thread.call->watched) leave_change(thread, *syscall, registers);
      break;
    case Family::kChange:
      leave_change(thread, *syscall, registers);
      break;
    case Family::kFileTimes:
      map_times(thread, registers);
      break;
    case Family::kListing:
      report_listing(thread, registers);
      break;
    case Family::kSystemInfo:
      leave_system_info(thread, registers);
      break;
    case Family::kClockRead:
      leave_clock_read(thread, registers);
      break;
    case Family::kSocketOption:
    case Family::kConnect:
    case Family::kRandom:
    case Family::kDisk:
    case Family::kRefused:
      break;
  }
  thread.call.reset();
  resume(thread, PTRACE_CONT);
}

void Stage::note_unseen(const Thread& thread, std::string_view call, std::string_view why) {
  not_covered_.insert(fmt::format("{} by {}, {}", call, thread.process->spawn_path, why));
}

void Stage::deliver_signal(Thread& thread, int signal) {
  // The kernel drops this one for the first process of a pod, except where that is traced.
  if (signal == SIGSTOP && thread.process && thread.process->is_first && thread.process->troupe == Troupe::kPod)
    signal = 0;
  if (thread.restart) {
    // With a handler the call ends with EINTR; without one the kernel makes it again, and its deadline still holds.
    base::UniqueFd file(::open(fmt::format("/proc/{}/status", thread.id).c_str(), O_RDONLY | O_CLOEXEC));
    std::array<char, 4096> buffer{};
    if (file.valid() && ::read(file.get(), buffer.data(), buffer.size() - 1) > 0) {
      const char* caught = std::strstr(buffer.data(), "\nSigCgt:");
      const auto mask = caught == nullptr ? ~0ULL : std::strtoull(caught + 8, nullptr, 16);
      if ((mask >> (signal - 1) & 1) != 0) thread.restart.reset();
    }
  }
  resume(thread, thread.call ? PTRACE_SYSCALL : PTRACE_CONT, signal);
}

void Stage::resume(Thread& thread, int request, int signal) {
  if (services_held_ && thread.process && thread.process->troupe == Troupe::kService) {
    thread.held = true;
    thread.held_request = request;
    thread.held_signal = signal;
    return;
  }
  thread.stopped = false;
  // A tracee that has died meanwhile is reported by the next wait.
  (void)::ptrace(static_cast<__ptrace_request>(request), thread.id, nullptr, static_cast<long>(signal));
}

void Stage::hold_services() {
  if (services_held_) return;
  services_held_ = true;
  for (const auto& [id, thread] : threads_) {
    if (thread->process && thread->process->troupe == Troupe::kService && !thread->stopped) {
      (void)::ptrace(PTRACE_INTERRUPT, id, nullptr, nullptr);
    }
  }
}

void Stage::release_services() {
  services_held_ = false;
  for (const auto& [id, thread] : threads_) {
    if (!thread->held || !thread->waits_for_disk.empty()) continue;
    thread->held = false;
    resume(*thread, thread->held_request, thread->held_signal);
  }
}

void Stage::let_disks_fail(std::vector<std::string> mount_paths) {
  disks_can_fail_ = true;
  disk_faults_ = DiskFaults(std::move(mount_paths));
}

bool Stage::alive(Troupe troupe) const {
  for (const auto& [id, process] : processes_) {
    if (process->troupe == troupe) return true;
  }
  return false;
}

void Stage::for_each_process(const std::function<void(const Process&)>& visit) const {
  for (const auto& [id, process] : processes_) {
    if (process->troupe == Troupe::kPod) visit(*process);
  }
}

}  // namespace stage
