// Timers that the kernel would run: alarm, setitimer, timer_create and timer descriptors.
//
// Alarms and POSIX timers are kept by the stage and never armed in the kernel; when one goes off the stage sends the
// signal with the origin that a timer's signal has. A timer descriptor is armed in the kernel only at its moment,
// through the stage's own handle on it, so that poll, epoll and read behave as they do.
//
// Not done: ITIMER_VIRTUAL and ITIMER_PROF (they measure computation and stay the kernel's), overrun counts.
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/kcmp.h>
#include <poll.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "harness/stage/stage.h"

namespace stage {

static constexpr int kAlarm = -1;  // the id of ITIMER_REAL among a process's timers

static Nanoseconds nanoseconds(const timespec& time) {
  return time.tv_sec * kSecond + time.tv_nsec;
}
static Nanoseconds nanoseconds(const timeval& time) {
  return time.tv_sec * kSecond + time.tv_usec * 1'000;
}
static timespec to_timespec(Nanoseconds time) {
  return {time / kSecond, time % kSecond};
}
static timeval to_timeval(Nanoseconds time) {
  return {time / kSecond, time % kSecond / 1'000};
}

static Nanoseconds remaining(const VirtualClock& clock, const std::optional<TimerId>& armed) {
  return armed ? std::max<Nanoseconds>(1, armed->first - clock.now()) : 0;
}

ProcessTimer* Stage::find_timer(pid_t id, int timer) {
  const auto process = processes_.find(id);
  if (process == processes_.end()) return nullptr;
  if (timer == kAlarm) return &process->second->alarm;
  const auto found = process->second->timers.find(timer);
  return found == process->second->timers.end() ? nullptr : &found->second;
}

void Stage::disarm(ProcessTimer& timer) {
  if (timer.armed) cancel(*timer.armed);
  timer.armed.reset();
}

void Stage::drop_timers(Process& process, bool also_alarm) {
  for (auto& [id, timer] : process.timers) disarm(timer);
  process.timers.clear();
  if (also_alarm) disarm(process.alarm);
}

void Stage::arm(pid_t process, int timer, Nanoseconds when) {
  ProcessTimer* found = find_timer(process, timer);
  if (found == nullptr) return;
  disarm(*found);
  found->armed = at(when, [this, process, timer] { go_off(process, timer); });
}

void Stage::go_off(pid_t process, int timer) {
  ProcessTimer* found = find_timer(process, timer);
  if (found == nullptr) return;
  found->armed.reset();
  if (timer == kAlarm) {
    ::kill(process, SIGALRM);
  } else if (found->notify != SIGEV_NONE) {
    siginfo_t info{};
    info.si_signo = found->signal;
    info.si_code = SI_TIMER;
    info.si_timerid = found->timer;
    info.si_value.sival_ptr = reinterpret_cast<void*>(found->value);
    const pid_t thread = found->notify == SIGEV_THREAD_ID ? found->notify_thread : 0;
    if (thread != 0) {
      ::syscall(SYS_rt_tgsigqueueinfo, process, thread, found->signal, &info);
    } else {
      ::syscall(SYS_rt_sigqueueinfo, process, found->signal, &info);
    }
  }
  if (found->interval > 0) arm(process, timer, clock_.now() + found->interval);
}

void Stage::enter_timer(Thread& thread, const user_regs_struct& registers) {
  switch (static_cast<long>(registers.orig_rax)) {
    case SYS_alarm:
      return set_alarm(thread, registers);
    case SYS_getitimer:
    case SYS_setitimer:
      return set_interval_timer(thread, registers);
    case SYS_timer_settime:
    case SYS_timer_gettime:
      return set_posix_timer(thread, registers);
    case SYS_timerfd_settime:
    case SYS_timerfd_gettime:
      return set_timer_descriptor(thread, registers);
    default:  // timer_create, timer_delete: the kernel does it, and the stage notes it at the end
      thread.call.emplace().entry = registers;
      return resume(thread, PTRACE_SYSCALL);
  }
}

void Stage::set_alarm(Thread& thread, const user_regs_struct& registers) {
  ProcessTimer& alarm = thread.process->alarm;
  const Nanoseconds left = remaining(clock_, alarm.armed);
  const auto seconds = static_cast<unsigned>(argument(registers, 0));
  disarm(alarm);
  alarm.interval = 0;
  if (seconds > 0) arm(thread.process->id, kAlarm, clock_.now() + seconds * kSecond);
  answer(thread, registers, (left + kSecond - 1) / kSecond);
}

void Stage::set_interval_timer(Thread& thread, const user_regs_struct& registers) {
  if (static_cast<int>(argument(registers, 0)) != ITIMER_REAL) return resume(thread, PTRACE_CONT);
  ProcessTimer& alarm = thread.process->alarm;
  const itimerval old{to_timeval(alarm.interval), to_timeval(remaining(clock_, alarm.armed))};
  const bool gets = static_cast<long>(registers.orig_rax) == SYS_getitimer;
  const auto old_address = argument(registers, gets ? 1 : 2);
  if (!gets) {
    const auto value = read_value<itimerval>(thread.id, argument(registers, 1));
    if (!value && argument(registers, 1) != 0) return answer(thread, registers, -EFAULT);
    disarm(alarm);
    alarm.interval = value ? nanoseconds(value->it_interval) : 0;
    const Nanoseconds first = value ? nanoseconds(value->it_value) : 0;
    if (first > 0) arm(thread.process->id, kAlarm, clock_.now() + first);
  }
  const bool written = old_address == 0 || write_memory(thread.id, old_address, &old, sizeof old);
  answer(thread, registers, written ? 0 : -EFAULT);
}

void Stage::set_posix_timer(Thread& thread, const user_regs_struct& registers) {
  ProcessTimer* timer = find_timer(thread.process->id, static_cast<int>(argument(registers, 0)));
  if (timer == nullptr) return resume(thread, PTRACE_CONT);
  const itimerspec old{to_timespec(timer->interval), to_timespec(remaining(clock_, timer->armed))};
  const bool gets = static_cast<long>(registers.orig_rax) == SYS_timer_gettime;
  const auto old_address = argument(registers, gets ? 1 : 3);
  if (!gets) {
    const auto value = read_value<itimerspec>(thread.id, argument(registers, 2));
    if (!value) return answer(thread, registers, -EFAULT);
    disarm(*timer);
    timer->interval = nanoseconds(value->it_interval);
    Nanoseconds first = nanoseconds(value->it_value);
    if (first > 0) {
      const bool absolute = (argument(registers, 1) & TIMER_ABSTIME) != 0;
      // Which clock an absolute time is of shows in its size: seconds since 1970, or since the machine started.
      if (absolute) first -= first > clock_.epoch() / 2 ? clock_.realtime() : clock_.monotonic();
      arm(thread.process->id, timer->timer, clock_.now() + std::max<Nanoseconds>(0, first));
    }
  }
  const bool written = old_address == 0 || write_memory(thread.id, old_address, &old, sizeof old);
  answer(thread, registers, written ? 0 : -EFAULT);
}

// The tracer's number for a thread that the pod calls `inner`.
static pid_t outer_thread(pid_t process, int inner) {
  const std::string folder = fmt::format("/proc/{}/task", process);
  for (int candidate = process; candidate < process + 4096; ++candidate) {
    base::UniqueFd file(::open(fmt::format("{}/{}/status", folder, candidate).c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.valid()) continue;
    std::string text(4096, '\0');
    const ssize_t size = ::read(file.get(), text.data(), text.size());
    text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    const auto line = text.find("\nNSpid:");
    if (line == std::string::npos) continue;
    const auto end = text.find('\n', line + 1);
    const auto last = text.find_last_of(" \t", end);
    if (std::atoi(text.c_str() + last) == inner) return candidate;
  }
  return 0;
}

void Stage::leave_timer(Thread& thread, const user_regs_struct& registers) {
  const user_regs_struct& entry = thread.call->entry;
  if (static_cast<long>(registers.rax) != 0) return;
  Process& process = *thread.process;
  if (static_cast<long>(entry.orig_rax) == SYS_timer_delete) {
    const auto found = process.timers.find(static_cast<int>(argument(entry, 0)));
    if (found == process.timers.end()) return;
    disarm(found->second);
    process.timers.erase(found);
    return;
  }
  if (static_cast<long>(entry.orig_rax) != SYS_timer_create) return;
  const auto id = read_value<int>(thread.id, argument(entry, 2));
  const int clock = static_cast<int>(argument(entry, 0));
  if (!id || clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID || clock < 0) return;
  ProcessTimer timer;
  timer.timer = *id;
  timer.signal = SIGALRM;
  timer.notify = SIGEV_SIGNAL;
  timer.value = static_cast<std::uint64_t>(*id);
  if (const auto event = read_value<sigevent>(thread.id, argument(entry, 1))) {
    timer.signal = event->sigev_signo;
    timer.notify = event->sigev_notify;
    timer.value = reinterpret_cast<std::uint64_t>(event->sigev_value.sival_ptr);
    if (event->sigev_notify == SIGEV_THREAD_ID) {
      timer.notify_thread = outer_thread(process.id, event->_sigev_un._tid);
    }
  }
  process.timers[*id] = timer;
}

void Stage::set_timer_descriptor(Thread& thread, const user_regs_struct& registers) {
  const int descriptor = static_cast<int>(argument(registers, 0));
  base::UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, thread.process->id, 0)));
  base::UniqueFd file(static_cast<int>(::syscall(SYS_pidfd_getfd, process.get(), descriptor, 0)));
  if (!file.valid()) return resume(thread, PTRACE_CONT);
  const auto self = ::getpid();
  const auto known = std::ranges::find_if(timer_descriptors_, [&](const auto& entry) {
    return ::syscall(SYS_kcmp, self, self, KCMP_FILE, entry.second.file.get(), file.get()) == 0;
  });
  itimerspec old{};
  if (known != timer_descriptors_.end()) {
    old = {to_timespec(known->second.interval), to_timespec(remaining(clock_, known->second.armed))};
  }
  const bool gets = static_cast<long>(registers.orig_rax) == SYS_timerfd_gettime;
  const auto old_address = argument(registers, gets ? 1 : 3);
  if (!gets) {
    const auto value = read_value<itimerspec>(thread.id, argument(registers, 2));
    if (!value) return answer(thread, registers, -EFAULT);
    if (known != timer_descriptors_.end()) {
      if (known->second.armed) cancel(*known->second.armed);
      timer_descriptors_.erase(known);
    }
    const itimerspec nothing{};
    if (::timerfd_settime(file.get(), 0, &nothing, nullptr) != 0) return answer(thread, registers, -errno);
    Nanoseconds first = nanoseconds(value->it_value);
    if (first > 0) {
      const bool absolute = (argument(registers, 1) & TFD_TIMER_ABSTIME) != 0;
      if (absolute) first -= first > clock_.epoch() / 2 ? clock_.realtime() : clock_.monotonic();
      const std::size_t index = next_timer_descriptor_++;
      TimerDescriptor& timer = timer_descriptors_[index];
      timer.file = std::move(file);
      timer.interval = nanoseconds(value->it_interval);
      timer.armed = at(clock_.now() + std::max<Nanoseconds>(0, first), [this, index] { fire_timer_descriptor(index); });
    }
  }
  const bool written = old_address == 0 || write_memory(thread.id, old_address, &old, sizeof old);
  answer(thread, registers, written ? 0 : -EFAULT);
}

void Stage::fire_timer_descriptor(std::size_t index) {
  const auto found = timer_descriptors_.find(index);
  if (found == timer_descriptors_.end()) return;
  TimerDescriptor& timer = found->second;
  const itimerspec at_once{{0, 0}, {0, 1}};
  (void)::timerfd_settime(timer.file.get(), 0, &at_once, nullptr);
  // The kernel fires it within microseconds; without this wait the world could be found at rest before.
  pollfd ready{timer.file.get(), POLLIN, 0};
  ::poll(&ready, 1, 100);
  if (timer.interval > 0) {
    timer.armed = at(clock_.now() + timer.interval, [this, index] { fire_timer_descriptor(index); });
  } else {
    timer_descriptors_.erase(found);
  }
}

void Stage::enter_socket_option(Thread& thread, const user_regs_struct& registers) {
  const int option = static_cast<int>(argument(registers, 2));
  const bool receives = option == SO_RCVTIMEO_OLD || option == SO_RCVTIMEO_NEW;
  const bool sends = option == SO_SNDTIMEO_OLD || option == SO_SNDTIMEO_NEW;
  if (static_cast<int>(argument(registers, 1)) != SOL_SOCKET || (!receives && !sends))
    return resume(thread, PTRACE_CONT);
  const auto value = read_value<timeval>(thread.id, argument(registers, 3));
  if (!value) return resume(thread, PTRACE_CONT);
  auto& timeouts = receives ? thread.process->receive_timeouts : thread.process->send_timeouts;
  const int descriptor = static_cast<int>(argument(registers, 0));
  if (nanoseconds(*value) > 0) {
    timeouts[descriptor] = nanoseconds(*value);
  } else {
    timeouts.erase(descriptor);
  }
  answer(thread, registers, 0);  // the kernel's own timeout stays off
}

}  // namespace stage
