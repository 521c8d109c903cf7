#include "launcher/training/supervise.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include "base/unique_fd.h"
#include "launcher/training/lines.h"
#include "launcher/training/pass_through.h"

namespace training {

using base::Clock;
using base::TimePoint;
using base::UniqueFd;

namespace {

// One of the program's two streams, on its way to ours.
struct Stream {
  Stream(UniqueFd from, int to) : pipe(std::move(from)), out(to) {}
  UniqueFd pipe;
  PassThrough out;
  Lines lines;
};

class Attempt {
 public:
  Attempt(base::Waiter& waiter, const Supervision& plan, pid_t child, std::array<Stream, 2> streams)
      : waiter_(waiter), plan_(plan), child_(child), streams_(std::move(streams)) {}

  Ended run();

 private:
  void wait_for_something();
  bool pump(Stream& stream);
  void take(Stream& stream, std::string_view bytes);
  void forward_signals();
  void keep_time();
  void end_program();
  void drain();

  base::Waiter& waiter_;
  const Supervision& plan_;
  const pid_t child_;
  std::array<Stream, 2> streams_;
  const TimePoint started_ = Clock::now();
  TimePoint last_output_ = started_;
  TimePoint next_tick_ = started_ + plan_.tick;
  TimePoint kill_at_ = base::kForever;
  Ended ended_;
};

}  // namespace

Ended Attempt::run() {
  std::optional<base::WaitStatus> status;
  while (!(status = waiter_.take_status(child_))) {
    forward_signals();
    keep_time();
    wait_for_something();
  }
  // The rest of its group first: it may hold the pipes.
  auto spared = plan_.spared;
  const auto left = kill_at_ == base::kForever
                        ? plan_.grace
                        : std::chrono::duration_cast<base::Milliseconds>(kill_at_ - Clock::now());
  drain();
  base::end_descendants(waiter_, spared, std::max(left, base::Milliseconds(0)));
  drain();
  for (Stream& stream : streams_) {
    stream.lines.finish([this](std::string_view line) {
      if (plan_.on_line) plan_.on_line(line);
    });
    stream.out.flush();
    ended_.dropped_bytes += stream.out.dropped_bytes();
  }
  ended_.status = *status;
  ended_.lasted = std::chrono::duration_cast<base::Seconds>(Clock::now() - started_);
  return ended_;
}

void Attempt::forward_signals() {
  for (const int signal : waiter_.take_signals()) (void)::kill(-child_, signal);
  if (waiter_.stop_signal() == 0 || ended_.stop_signal != 0) return;
  ended_.stop_signal = waiter_.stop_signal();
  // One that came before there was a child has been taken and forgotten by then: say it again.
  (void)::kill(-child_, ended_.stop_signal);
  kill_at_ = std::min(kill_at_, Clock::now() + plan_.grace);
  if (plan_.on_stop) plan_.on_stop();
}

void Attempt::end_program() {
  if (kill_at_ != base::kForever) return;
  (void)::kill(-child_, SIGTERM);
  (void)::kill(-child_, SIGCONT);
  kill_at_ = Clock::now() + plan_.grace;
}

void Attempt::keep_time() {
  const TimePoint now = Clock::now();
  if (now >= kill_at_) {
    (void)::kill(-child_, SIGKILL);
    base::end_descendants(waiter_, plan_.spared, base::Milliseconds(0));
    return;
  }
  if (kill_at_ != base::kForever) return;
  if (now >= next_tick_) {
    next_tick_ = now + plan_.tick;
    if (plan_.on_tick && !plan_.on_tick()) {
      ended_.cut_off = true;
      return end_program();
    }
  }
  if (plan_.silence_max && now - last_output_ >= *plan_.silence_max) {
    if (plan_.still_alive && plan_.still_alive()) {
      last_output_ = Clock::now();
      return;
    }
    ended_.stalled = true;
    end_program();
  }
}

void Attempt::wait_for_something() {
  std::array<pollfd, 4> descriptors{};
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    const Stream& stream = streams_[i];
    descriptors[i] = {stream.pipe.valid() && !stream.out.full() ? stream.pipe.get() : -1, POLLIN, 0};
    descriptors[i + 2] = {stream.out.waits_for_room() ? stream.out.descriptor() : -1, POLLOUT, 0};
  }
  TimePoint until = kill_at_;
  if (kill_at_ == base::kForever) {
    if (plan_.on_tick) until = next_tick_;
    if (plan_.silence_max) until = std::min(until, last_output_ + *plan_.silence_max);
  }
  // Somebody who stopped reading is given up on after a while; that moment is no event.
  if (streams_[0].out.full() || streams_[1].out.full()) until = std::min(until, Clock::now() + base::Seconds(1));
  // After SIGKILL the program may take its time to die.
  if (until <= Clock::now()) until = Clock::now() + base::Milliseconds(50);
  waiter_.wait(descriptors, until);
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    if (descriptors[i + 2].revents != 0) streams_[i].out.flush();
    if (descriptors[i].revents != 0) pump(streams_[i]);
  }
}

// One read; false when there was nothing.
bool Attempt::pump(Stream& stream) {
  if (!stream.pipe.valid()) return false;
  char buffer[65536];
  const ssize_t count = ::read(stream.pipe.get(), buffer, sizeof buffer);
  if (count > 0) {
    take(stream, std::string_view(buffer, static_cast<std::size_t>(count)));
    return true;
  }
  if (count == 0 || (errno != EAGAIN && errno != EINTR)) stream.pipe.reset();
  return false;
}

void Attempt::take(Stream& stream, std::string_view bytes) {
  last_output_ = Clock::now();
  stream.out.write(bytes);
  if (plan_.on_output) plan_.on_output(bytes);
  if (plan_.on_line) stream.lines.feed(bytes, plan_.on_line);
}

// What is in the pipes now, and no more: whoever still writes is not waited for.
void Attempt::drain() {
  constexpr int kReadsMax = 64;
  for (Stream& stream : streams_) {
    for (int reads = 0; reads < kReadsMax && pump(stream); ++reads) {
    }
  }
}

static base::Result<std::pair<UniqueFd, UniqueFd>> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return base::fail(base::system_error(errno, "make a pipe for the output"));
  (void)::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return std::pair(UniqueFd(ends[0]), UniqueFd(ends[1]));
}

base::Result<Ended> supervise(base::Waiter& waiter, const Supervision& supervision) {
  auto output = make_pipe();
  if (!output) return base::fail(output.error());
  auto errors = make_pipe();
  if (!errors) return base::fail(errors.error());
  base::Program program = supervision.program;
  program.output = output->second.get();
  program.errors = errors->second.get();
  const auto child = base::spawn(program, waiter);
  if (!child) return base::fail(child.error());
  output->second.reset();
  errors->second.reset();
  Attempt attempt(waiter, supervision, *child,
                  {Stream(std::move(output->first), STDOUT_FILENO), Stream(std::move(errors->first), STDERR_FILENO)});
  return attempt.run();
}

}  // namespace training
