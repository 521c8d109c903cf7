#include "launcher/boot/companions/companions_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "launcher/base/process.h"
#include "launcher/base/waiter.h"
#include "launcher/boot/companions/companions.h"
#include "launcher/config/duration.h"
#include "launcher/training/pass_through.h"

namespace boot {

using base::Clock;
using base::Seconds;
using base::TimePoint;

static constexpr Seconds kPauseMin{1};
static constexpr Seconds kPauseMax{300};
static constexpr Seconds kLivedWell{600};
static constexpr Seconds kLookForDaemonsEvery{60};
static constexpr base::Milliseconds kTimeToEnd{700};

namespace {

struct Companion {
  std::string command;
  pid_t process = 0;
  TimePoint started;
  TimePoint next = Clock::now();  // when to start it, while it does not run
  Seconds pause = kPauseMin;
  bool in_background = false;
};

class Watch {
 public:
  Watch(const std::vector<std::string>& commands, int alive, base::Waiter& waiter) : alive_(alive), waiter_(waiter) {
    for (const std::string& command : commands) companions_.emplace_back().command = command;
  }
  void run();

 private:
  void start(Companion& companion);
  void take_end(Companion& companion);
  bool has_daemons() const;
  TimePoint next_start() const;

  std::vector<Companion> companions_;
  int alive_;
  base::Waiter& waiter_;
  training::PassThrough out_{STDERR_FILENO};  // that of say() was our parent's, and is closed
};

}  // namespace

// What lives below us and is no companion of its own any more.
bool Watch::has_daemons() const {
  std::vector<pid_t> running;
  for (const Companion& companion : companions_) {
    if (companion.process != 0) running.push_back(companion.process);
  }
  return !base::descendants(running).empty();
}

void Watch::start(Companion& companion) {
  if (companion.in_background && has_daemons()) {
    companion.next = Clock::now() + kLookForDaemonsEvery;
    return;
  }
  companion.in_background = false;
  base::Program program;
  program.arguments = {"/bin/sh", "-c", companion.command};
  program.environment = {{kCompanionVariable, "1"}};
  companion.started = Clock::now();
  const auto child = base::spawn(program, waiter_);
  if (child) {
    companion.process = *child;
  } else {
    companion.next = Clock::now() + kPauseMax;
  }
}

void Watch::take_end(Companion& companion) {
  const auto status = companion.process == 0 ? std::nullopt : waiter_.take_status(companion.process);
  if (!status) return;
  companion.process = 0;
  if (status->success() && has_daemons()) {
    companion.in_background = true;
    companion.next = Clock::now() + kLookForDaemonsEvery;
    return;
  }
  if (Clock::now() - companion.started >= kLivedWell) companion.pause = kPauseMin;
  companion.next = Clock::now() + companion.pause;
  out_.flush();
  out_.write(fmt::format("podlaunch: alongside: \"{}\" ended with {}; started again in {}\n", companion.command,
                         status->describe(), config::format_duration(companion.pause)));
  companion.pause = std::min(companion.pause * 2, kPauseMax);
}

TimePoint Watch::next_start() const {
  TimePoint next = base::kForever;
  for (const Companion& companion : companions_) {
    if (companion.process == 0) next = std::min(next, companion.next);
  }
  return next;
}

void Watch::run() {
  for (;;) {
    for (Companion& companion : companions_) {
      take_end(companion);
      if (companion.process == 0 && Clock::now() >= companion.next) start(companion);
    }
    pollfd alive{alive_, POLLIN, 0};
    waiter_.wait(std::span<pollfd>(&alive, 1), next_start());
    if (alive.revents != 0) return base::end_descendants(waiter_, {}, kTimeToEnd);
  }
}

[[noreturn]] void watch_companions(const std::vector<std::string>& commands, int alive) {
  // Of what our parent holds open, only the pipe is ours: a socket kept open here would hide its end from others.
  constexpr int kAlive = 3;
  if (alive != kAlive) ::dup2(alive, kAlive);
  (void)::fcntl(kAlive, F_SETFD, FD_CLOEXEC);
  (void)::close_range(kAlive + 1, ~0U, 0);
  ::setpgid(0, 0);
  base::adopt_orphans();
  auto waiter = base::Waiter::open();
  if (waiter) Watch(commands, kAlive, *waiter).run();
  ::_exit(0);
}

}  // namespace boot
