#include "launcher/base/helper.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <exception>
#include <optional>

#include "base/unique_fd.h"
#include "launcher/base/files.h"
#include "launcher/base/process.h"

namespace base {

// The first letter of an answer: the work returned, or it threw.
static constexpr char kReturned = 'R';
static constexpr char kThrew = 'T';

[[noreturn]] static void do_work(int answer_descriptor, const std::function<std::string()>& work) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  Waiter::restore_signals();
  ::signal(SIGPIPE, SIG_IGN);
  std::string answer;
  try {
    answer = kReturned + work();
  } catch (const std::exception& exception) {
    answer = kThrew + std::string(exception.what());
  }
  // Not exit(): what the parent registered to run at its end is not ours to run.
  ::_exit(write_all(answer_descriptor, answer) ? 0 : 1);
}

static Error helper_error(ErrorCode code, const std::string& operation, std::string detail, std::string remedy = {}) {
  return Error{.code = code,
               .operation = operation,
               .path = {},
               .system_errno = 0,
               .detail = std::move(detail),
               .remedy = std::move(remedy)};
}

static void kill_helper(Waiter& waiter, pid_t helper) {
  (void)::kill(-helper, SIGKILL);
  (void)::kill(helper, SIGKILL);
  const TimePoint until = Clock::now() + Seconds(1);
  while (!waiter.take_status(helper)) {
    if (Clock::now() >= until) return waiter.abandon(helper);
    waiter.wait({}, until);
  }
}

// Reads what is there; false at the end of the stream.
static bool drain(int descriptor, std::string& answer) {
  char buffer[16384];
  for (;;) {
    const ssize_t count = ::read(descriptor, buffer, sizeof buffer);
    if (count > 0) {
      answer.append(buffer, static_cast<std::size_t>(count));
      continue;
    }
    if (count < 0 && errno == EINTR) continue;
    return count < 0 && errno == EAGAIN;
  }
}

static Result<std::string> judge(const std::string& operation, WaitStatus status, std::string answer) {
  if (status.success() && !answer.empty() && answer.front() == kReturned) return answer.substr(1);
  if (!answer.empty() && answer.front() == kThrew) {
    return fail(helper_error(ErrorCode::kSystem, operation, answer.substr(1)));
  }
  return fail(helper_error(ErrorCode::kSystem, operation, "the helper process ended with " + status.describe()));
}

namespace {

// When to say that there is no answer yet.
class Announcements {
 public:
  explicit Announcements(const StillWaiting& still_waiting) : still_waiting_(still_waiting) {
    if (still_waiting_) next_ = began_ + Seconds(10);
  }
  TimePoint next() const { return next_; }
  void announce(pid_t helper) {
    const TimePoint now = Clock::now();
    if (now < next_) return;
    still_waiting_(std::chrono::duration_cast<Seconds>(now - began_), sits_in_kernel(helper));
    next_ = now < began_ + Seconds(60) ? began_ + Seconds(60) : now + Seconds(300);
  }

 private:
  const StillWaiting& still_waiting_;
  const TimePoint began_ = Clock::now();
  TimePoint next_ = kForever;
};

}  // namespace

static Result<std::string> call(Waiter& waiter, const std::string& operation, Milliseconds deadline,
                                bool stop_signal_ends_it, const std::function<std::string()>& work,
                                const StillWaiting& still_waiting) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail(system_error(errno, operation));
  UniqueFd reading(ends[0]), writing(ends[1]);
  const auto forked = fork_patiently(waiter, operation);
  if (!forked) return fail(forked.error());
  const pid_t helper = *forked;
  if (helper == 0) do_work(writing.get(), work);
  (void)::setpgid(helper, helper);
  waiter.expect(helper);
  writing.reset();
  (void)::fcntl(reading.get(), F_SETFL, O_NONBLOCK);

  const TimePoint until = Clock::now() + deadline;
  Announcements announcements(still_waiting);
  std::string answer;
  bool open = true;
  for (;;) {
    if (open) open = drain(reading.get(), answer);
    if (const std::optional<WaitStatus> status = waiter.take_status(helper)) {
      if (open) drain(reading.get(), answer);
      return judge(operation, *status, std::move(answer));
    }
    if (stop_signal_ends_it && waiter.stop_signal() != 0) {
      kill_helper(waiter, helper);
      return fail(helper_error(ErrorCode::kBusy, operation, "asked to stop"));
    }
    if (Clock::now() >= until) {
      kill_helper(waiter, helper);
      return fail(helper_error(ErrorCode::kTimedOut, operation,
                               "no answer within " + std::to_string(deadline.count() / 1000) + " s",
                               "The disk or the network below it hangs; look at the pod's volume."));
    }
    announcements.announce(helper);
    pollfd descriptor{reading.get(), POLLIN, 0};
    waiter.wait(open ? std::span<pollfd>(&descriptor, 1) : std::span<pollfd>(), std::min(until, announcements.next()));
  }
}

Result<std::string> call_helper(Waiter& waiter, const std::string& operation, Seconds deadline,
                                const std::function<std::string()>& work, const StillWaiting& still_waiting) {
  return call(waiter, operation, deadline, true, work, still_waiting);
}

Result<std::string> call_last_helper(Waiter& waiter, const std::string& operation, Milliseconds deadline,
                                     const std::function<std::string()>& work) {
  return call(waiter, operation, deadline, false, work, {});
}

}  // namespace base
