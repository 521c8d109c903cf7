// Calls that wait, and reads of the clock.
//
// A timeout is taken out of the call at its entry (the call then waits for ever) and becomes a deadline of the world.
// When the world rests and the clock has jumped to that deadline, the stage interrupts the call and gives it the result
// that its timeout would have given. A sleep becomes pause(2), the call that only waits.
//
// A signal may interrupt the rewritten call first. Its registers are put back as the program made them and its result
// becomes -ERESTARTNOHAND: with a handler the program sees EINTR, without one the kernel makes the original call again,
// which traps again and finds its old deadline in `restart`.
#include <linux/futex.h>
#include <sys/ptrace.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "base/check.h"
#include "harness/stage/stage.h"

namespace stage {

static constexpr long kRestartSystem = -512;  // ERESTARTSYS, of the kernel's own
static constexpr long kRestartNoHandler = -514;
static constexpr long kRestartBlock = -516;

static Nanoseconds nanoseconds(const timespec& time) {
  return time.tv_sec * kSecond + time.tv_nsec;
}
static timespec to_timespec(Nanoseconds time) {
  return {time / kSecond, time % kSecond};
}
static bool valid(const timespec& time) {
  return time.tv_sec >= 0 && time.tv_nsec >= 0 && time.tv_nsec < kSecond;
}

// The clocks of processes and threads measure computation: those stay the kernel's.
static bool is_virtual(int clock) {
  switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
    case CLOCK_REALTIME_ALARM:
    case CLOCK_BOOTTIME_ALARM:
    case CLOCK_TAI:
      return true;
    default:
      return false;
  }
}

static bool counts_from_1970(int clock) {
  return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_REALTIME_ALARM ||
         clock == CLOCK_TAI;
}

static Nanoseconds reading(const VirtualClock& clock, int id) {
  return counts_from_1970(id) ? clock.realtime() : clock.monotonic();
}

void Stage::answer(Thread& thread, user_regs_struct registers, long result) {
  registers.orig_rax = static_cast<unsigned long long>(-1);  // no call is made
  registers.rax = static_cast<unsigned long long>(result);
  set_registers(thread.id, registers);
  resume(thread, PTRACE_CONT);
}

void Stage::enter_clock_read(Thread& thread, const user_regs_struct& registers) {
  clock_.charge_read();
  const auto first = argument(registers, 0);
  const auto second = argument(registers, 1);
  bool written = true;
  switch (static_cast<long>(registers.orig_rax)) {
    case SYS_clock_gettime: {
      const int id = static_cast<int>(first);
      if (!is_virtual(id)) return resume(thread, PTRACE_CONT);
      const timespec now = to_timespec(reading(clock_, id));
      written = write_memory(thread.id, second, &now, sizeof now);
      break;
    }
    case SYS_gettimeofday: {
      const Nanoseconds now = clock_.realtime();
      const timeval value{now / kSecond, now % kSecond / 1'000};
      if (first != 0) written = write_memory(thread.id, first, &value, sizeof value);
      const struct timezone zone {};
      if (second != 0) written = written && write_memory(thread.id, second, &zone, sizeof zone);
      break;
    }
    case SYS_time: {
      const time_t now = clock_.realtime() / kSecond;
      if (first != 0) written = write_memory(thread.id, first, &now, sizeof now);
      return answer(thread, registers, written ? now : -EFAULT);
    }
    case SYS_times:
      // The processor times it fills in are the kernel's; only the count of ticks since the start is the world's.
      thread.call.emplace().entry = registers;
      return resume(thread, PTRACE_SYSCALL);
    default:
      CHECK(false);
  }
  answer(thread, registers, written ? 0 : -EFAULT);
}

void Stage::leave_clock_read(Thread& thread, user_regs_struct registers) {
  if (static_cast<long>(registers.rax) < 0) return;
  registers.rax =
      static_cast<unsigned long long>(clock_.monotonic() / 10'000'000);  // 100 ticks a second, as user space sees it
  set_registers(thread.id, registers);
}

void Stage::leave_system_info(Thread& thread, const user_regs_struct& registers) {
  if (static_cast<long>(registers.rax) != 0) return;
  const long uptime = clock_.monotonic() / kSecond;
  write_memory(thread.id, argument(thread.call->entry, 0) + offsetof(struct sysinfo, uptime), &uptime, sizeof uptime);
}

void Stage::wait_until(Thread& thread, user_regs_struct registers, Nanoseconds deadline) {
  Call call;
  call.entry = thread.call->entry;
  call.rewritten = true;
  call.deadline_time = deadline;
  call.deadline = at(std::max(deadline, clock_.now()), [this, id = thread.id] { expire(id); });
  thread.call = std::move(call);
  set_registers(thread.id, registers);
  resume(thread, PTRACE_SYSCALL);
}

void Stage::expire(pid_t id) {
  const auto found = threads_.find(id);
  if (found == threads_.end() || !found->second->call) return;
  Thread& thread = *found->second;
  thread.call->deadline.reset();
  thread.call->expired = true;
  if (!thread.stopped && !thread.held) (void)::ptrace(PTRACE_INTERRUPT, id, nullptr, nullptr);
}

void Stage::drop_deadline(Call& call) {
  if (call.deadline) cancel(*call.deadline);
  call.deadline.reset();
}

namespace {

// Where a call keeps its timeout, and how it reads it.
struct Timeout {
  enum class Form { kMilliseconds, kTimespec, kTimeval } form;
  int argument;
  bool absolute = false;
  int clock = CLOCK_MONOTONIC;
};

}  // namespace

static std::optional<Timeout> timeout_of(const user_regs_struct& registers) {
  using Form = Timeout::Form;
  switch (static_cast<long>(registers.orig_rax)) {
    case SYS_nanosleep:
      return Timeout{Form::kTimespec, 0};
    case SYS_clock_nanosleep: {
      const int id = static_cast<int>(registers.rdi);
      if (!is_virtual(id)) return std::nullopt;
      return Timeout{Form::kTimespec, 2, (registers.rsi & TIMER_ABSTIME) != 0, id};
    }
    case SYS_poll:
      return Timeout{Form::kMilliseconds, 2};
    case SYS_ppoll:
      return Timeout{Form::kTimespec, 2};
    case SYS_select:
      return Timeout{Form::kTimeval, 4};
    case SYS_pselect6:
      return Timeout{Form::kTimespec, 4};
    case SYS_epoll_wait:
    case SYS_epoll_pwait:
      return Timeout{Form::kMilliseconds, 3};
    case SYS_epoll_pwait2:
      return Timeout{Form::kTimespec, 3};
    case SYS_rt_sigtimedwait:
      return Timeout{Form::kTimespec, 2};
    case SYS_semtimedop:
      return Timeout{Form::kTimespec, 3};
    case SYS_mq_timedsend:
    case SYS_mq_timedreceive:
      return Timeout{Form::kTimespec, 4, true, CLOCK_REALTIME};
    case SYS_futex_waitv:
      return Timeout{Form::kTimespec, 3, true, static_cast<int>(registers.r8)};
    case SYS_futex: {
      const int operation = static_cast<int>(registers.rsi);
      switch (operation & FUTEX_CMD_MASK) {
        case FUTEX_WAIT:
          return Timeout{Form::kTimespec, 3};
        case FUTEX_WAIT_BITSET:
        case FUTEX_WAIT_REQUEUE_PI:
        case FUTEX_LOCK_PI2:
          return Timeout{Form::kTimespec, 3, true,
                         (operation & FUTEX_CLOCK_REALTIME) != 0 ? CLOCK_REALTIME : CLOCK_MONOTONIC};
        case FUTEX_LOCK_PI:
          return Timeout{Form::kTimespec, 3, true, CLOCK_REALTIME};
        default:
          return std::nullopt;
      }
    }
    default:
      CHECK(false);
  }
}

// How long the call may wait from now on; nothing when it waits for ever or its argument is not valid.
static std::optional<Nanoseconds> relative_timeout(const VirtualClock& clock, pid_t id,
                                                   const user_regs_struct& registers, const Timeout& timeout) {
  const auto value = argument(registers, timeout.argument);
  switch (timeout.form) {
    case Timeout::Form::kMilliseconds: {
      const int milliseconds = static_cast<int>(value);
      if (milliseconds < 0) return std::nullopt;
      return milliseconds * 1'000'000LL;
    }
    case Timeout::Form::kTimeval: {
      const auto time = read_value<timeval>(id, value);
      if (!time || time->tv_sec < 0 || time->tv_usec < 0) return std::nullopt;
      return time->tv_sec * kSecond + time->tv_usec * 1'000;
    }
    case Timeout::Form::kTimespec: {
      const auto time = read_value<timespec>(id, value);
      if (!time || !valid(*time)) return std::nullopt;
      // More than a century is for ever; it also keeps the sums within range.
      if (time->tv_sec > 3'000'000'000) return std::nullopt;
      if (!timeout.absolute) return nanoseconds(*time);
      return std::max<Nanoseconds>(0, nanoseconds(*time) - reading(clock, timeout.clock));
    }
  }
  return std::nullopt;
}

void Stage::step_wall_clock(Nanoseconds by) {
  clock_.step_wall_clock(by);
  for (const auto& [id, thread] : threads_) {
    if (!thread->call || !thread->call->deadline) continue;
    Call& call = *thread->call;
    const auto timeout = timeout_of(call.entry);
    if (!timeout || !timeout->absolute || !counts_from_1970(timeout->clock)) continue;
    cancel(*call.deadline);
    call.deadline_time -= by;
    call.deadline = at(std::max(call.deadline_time, clock_.now()), [this, waits = id] { expire(waits); });
  }
}

static bool same_call(const user_regs_struct& one, const user_regs_struct& other) {
  return one.rip == other.rip && one.rsp == other.rsp && one.orig_rax == other.orig_rax && one.rdi == other.rdi &&
         one.rsi == other.rsi;
}

static bool is_sleep(long number) {
  return number == SYS_nanosleep || number == SYS_clock_nanosleep;
}

void Stage::enter_wait(Thread& thread, const user_regs_struct& registers) {
  std::optional<Call> restart = std::move(thread.restart);
  thread.restart.reset();
  const auto timeout = timeout_of(registers);
  if (!timeout) return resume(thread, PTRACE_CONT);
  const auto relative = relative_timeout(clock_, thread.id, registers, *timeout);
  if (!relative) return resume(thread, PTRACE_CONT);
  Nanoseconds deadline = clock_.now() + *relative;
  if (restart && same_call(restart->entry, registers)) {
    deadline = restart->deadline_time;
  } else if (*relative == 0) {
    clock_.charge_read();  // a loop that only asks whether something is there must still get on
    // A moment that has passed here may be far ahead on the machine's clock: it is left to no kernel.
    if (!timeout->absolute) return resume(thread, PTRACE_CONT);
  }
  thread.call.emplace().entry = registers;
  user_regs_struct rewritten = registers;
  if (is_sleep(static_cast<long>(registers.orig_rax))) {
    rewritten.orig_rax = SYS_pause;
  } else {
    argument(rewritten, timeout->argument) =
        timeout->form == Timeout::Form::kMilliseconds ? static_cast<unsigned long long>(-1) : 0;
  }
  wait_until(thread, rewritten, deadline);
}

static long result_of_timeout(long number) {
  switch (number) {
    case SYS_futex:
    case SYS_futex_waitv:
    case SYS_mq_timedsend:
    case SYS_mq_timedreceive:
      return -ETIMEDOUT;
    case SYS_rt_sigtimedwait:
    case SYS_semtimedop:
      return -EAGAIN;
    default:
      return 0;
  }
}

// A select that timed out leaves its sets empty.
static void clear_sets(pid_t id, const user_regs_struct& entry) {
  const auto count = std::min<std::uint64_t>(entry.rdi, 65'536);
  const std::vector<unsigned char> zeros((count + 63) / 64 * 8);
  for (const int set : {1, 2, 3}) {
    if (argument(entry, set) != 0) write_memory(id, argument(entry, set), zeros.data(), zeros.size());
  }
}

// Some calls tell how much of the timeout was left.
static void write_remaining(pid_t id, const user_regs_struct& entry, Nanoseconds remaining, bool interrupted) {
  const timespec left = to_timespec(remaining);
  switch (static_cast<long>(entry.orig_rax)) {
    case SYS_nanosleep:
      if (interrupted && entry.rsi != 0) write_memory(id, entry.rsi, &left, sizeof left);
      return;
    case SYS_clock_nanosleep:
      if (interrupted && entry.r10 != 0 && (entry.rsi & TIMER_ABSTIME) == 0)
        write_memory(id, entry.r10, &left, sizeof left);
      return;
    case SYS_ppoll:
      write_memory(id, entry.rdx, &left, sizeof left);
      return;
    case SYS_pselect6:
      write_memory(id, entry.r8, &left, sizeof left);
      return;
    case SYS_select: {
      const timeval value{left.tv_sec, left.tv_nsec / 1'000};
      write_memory(id, entry.r8, &value, sizeof value);
      return;
    }
    default:
      return;
  }
}

void Stage::leave_wait(Thread& thread, user_regs_struct& registers) {
  Call& call = *thread.call;
  drop_deadline(call);
  const long result = static_cast<long>(registers.rax);
  const bool restarts = result == kRestartSystem || result == kRestartNoHandler || result == kRestartBlock;
  const bool interrupted = restarts || result == -EINTR;
  user_regs_struct restored = call.entry;
  restored.rax = registers.rax;
  restored.rip = registers.rip;
  restored.rcx = registers.rcx;
  restored.r11 = registers.r11;
  const long number = call.number();
  const Nanoseconds remaining = std::max<Nanoseconds>(0, call.deadline_time - clock_.now());
  if (call.expired && interrupted) {
    restored.rax = static_cast<unsigned long long>(result_of_timeout(number));
    restored.orig_rax = static_cast<unsigned long long>(-1);
    if (number == SYS_select || number == SYS_pselect6) clear_sets(thread.id, call.entry);
    write_remaining(thread.id, call.entry, 0, /*interrupted=*/false);
  } else if (restarts) {
    restored.rax = static_cast<unsigned long long>(kRestartNoHandler);
    write_remaining(thread.id, call.entry, remaining, /*interrupted=*/true);
    thread.restart = call;
  } else {
    write_remaining(thread.id, call.entry, remaining, interrupted);
  }
  set_registers(thread.id, restored);
}

}  // namespace stage
