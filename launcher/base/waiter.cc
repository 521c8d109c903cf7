#include "launcher/base/waiter.h"

#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <vector>

#include "base/check.h"
#include "launcher/base/process.h"

namespace base {

// Taken and forwarded. SIGTSTP and its kin are left alone: a terminal's user means the whole job with them.
static constexpr int kTaken[] = {SIGCHLD, SIGTERM, SIGINT,  SIGQUIT, SIGHUP,
                                 SIGUSR1, SIGUSR2, SIGCONT, SIGALRM, SIGWINCH};

static bool asks_to_stop(int signal) {
  return signal == SIGTERM || signal == SIGINT || signal == SIGQUIT || signal == SIGHUP;
}

// The sender of a signal is 0 when it is outside our PID namespace: the platform. Where we are the first process, a
// sender inside it that has gone since (`kill 1` ends at once) was started by us, one way or another.
static bool is_below_us(pid_t sender) {
  constexpr int kDepthMax = 100;
  const pid_t us = ::getpid();
  if (sender == 0 || sender == us) return false;
  for (int depth = 0; depth < kDepthMax; ++depth) {
    const pid_t parent = parent_of(sender);
    if (parent == us) return true;
    if (parent <= 1) return us == 1 && ::kill(sender, 0) != 0 && errno == ESRCH;
    sender = parent;
  }
  return false;
}

Result<Waiter> Waiter::open() {
  sigset_t taken;
  ::sigemptyset(&taken);
  for (const int signal : kTaken) ::sigaddset(&taken, signal);
  if (::sigprocmask(SIG_BLOCK, &taken, nullptr) != 0) return fail(system_error(errno, "block signals"));
  // A reader of our output that goes away must not end us; writing then fails with EPIPE.
  ::signal(SIGPIPE, SIG_IGN);
  // An inherited "ignore" of SIGCHLD would make the kernel reap our children unseen.
  ::signal(SIGCHLD, SIG_DFL);
  Waiter waiter;
  waiter.signal_descriptor_.reset(::signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!waiter.signal_descriptor_.valid()) return fail(system_error(errno, "take signals through a descriptor"));
  return waiter;
}

void Waiter::restore_signals() {
  for (const int signal : kTaken) ::signal(signal, SIG_DFL);
  ::signal(SIGPIPE, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  (void)::sigprocmask(SIG_SETMASK, &none, nullptr);
}

void Waiter::wait(std::span<pollfd> descriptors, TimePoint until) {
  std::vector<pollfd> all(descriptors.begin(), descriptors.end());
  all.push_back({signal_descriptor_.get(), POLLIN, 0});
  timespec left{};
  timespec* timeout = nullptr;
  if (until != kForever) {
    const auto rest = std::max(std::chrono::nanoseconds(0), std::chrono::nanoseconds(until - Clock::now()));
    left.tv_sec = static_cast<time_t>(rest.count() / 1'000'000'000);
    left.tv_nsec = static_cast<long>(rest.count() % 1'000'000'000);
    timeout = &left;
  }
  for (pollfd& descriptor : descriptors) descriptor.revents = 0;
  if (::ppoll(all.data(), all.size(), timeout, nullptr) <= 0) return;
  for (std::size_t i = 0; i < descriptors.size(); ++i) descriptors[i].revents = all[i].revents;
  if (all.back().revents != 0) read_signals();
}

void Waiter::read_signals() {
  signalfd_siginfo info{};
  bool child_ended = false;
  while (::read(signal_descriptor_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    const int signal = static_cast<int>(info.ssi_signo);
    if (signal == SIGCHLD) {
      child_ended = true;
      continue;
    }
    if (asks_to_stop(signal) && is_below_us(static_cast<pid_t>(info.ssi_pid))) continue;
    if (asks_to_stop(signal) && stop_signal_ == 0) {
      stop_signal_ = signal;
      stop_signal_at_ = Clock::now();
    }
    if (group_ > 0) {
      (void)::kill(-group_, signal);
    } else {
      signals_.push_back(signal);
    }
  }
  if (child_ended) reap();
}

void Waiter::reap() {
  int raw = 0;
  for (pid_t child = 0; (child = ::waitpid(-1, &raw, WNOHANG | WUNTRACED)) > 0;) {
    if (WIFSTOPPED(raw)) {
      // A training may send SIGSTOP to whatever it sees. It may stop itself, but none of our helpers.
      if (child == group_) group_stopped_by_ = WSTOPSIG(raw);
      if (expected_.contains(child) && child != group_) (void)::kill(child, SIGCONT);
    } else if (expected_.contains(child)) {
      ended_[child] = WaitStatus::from_raw(raw);
    }
  }
}

void Waiter::expect(pid_t child) {
  CHECK(child > 0);
  expected_.insert(child);
}

std::optional<WaitStatus> Waiter::take_status(pid_t child) {
  CHECK(expected_.contains(child));
  const auto found = ended_.find(child);
  if (found == ended_.end()) return std::nullopt;
  const WaitStatus status = found->second;
  ended_.erase(found);
  expected_.erase(child);
  return status;
}

void Waiter::abandon(pid_t child) {
  expected_.erase(child);
  ended_.erase(child);
}

void Waiter::forward_to(pid_t group) {
  group_ = group;
  if (group == 0) return;
  std::vector<int> late = std::exchange(signals_, {});
  const bool told = std::find(late.begin(), late.end(), stop_signal_) != late.end();
  if (stop_signal_ != 0 && !told) late.push_back(stop_signal_);
  for (const int signal : late) (void)::kill(-group, signal);
}

}  // namespace base
