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
#include "launcher/training/terminal.h"

namespace training {

using base::Clock;
using base::TimePoint;
using base::UniqueFd;

namespace {

// One of the program's two streams, on its way to ours.
struct Stream {
  Stream(UniqueFd from, int descriptor, bool terminal)
      : pipe(std::move(from)), to(descriptor), is_terminal(terminal), out(descriptor) {}
  UniqueFd pipe;
  int to;
  bool is_terminal;
  PassThrough out;
  Lines lines;
};

class Attempt {
 public:
  Attempt(base::Waiter& waiter, const Supervision& plan, pid_t child, std::array<Stream, 2>& streams)
      : waiter_(waiter), plan_(plan), child_(child), streams_(streams) {}

  Ended run();

 private:
  void wait_for_something();
  bool pump(Stream& stream);
  void take(Stream& stream, std::string_view bytes);
  void notice_stop();
  void follow_sizes();
  void end_rest();
  base::Milliseconds after_kill() const;
  bool hangs_in_kernel() const;
  void keep_time();
  void end_program();
  std::vector<pid_t> spared() const;
  void drain();

  base::Waiter& waiter_;
  const Supervision& plan_;
  const pid_t child_;
  std::array<Stream, 2>& streams_;
  const TimePoint started_ = Clock::now();
  TimePoint last_output_ = started_;
  TimePoint next_tick_ = started_ + plan_.tick;
  TimePoint lawful_until_ = base::kForever;
  TimePoint kill_at_ = base::kForever;
  Ended ended_;
};

}  // namespace

Ended Attempt::run() {
  waiter_.forward_to(child_);
  std::optional<base::WaitStatus> status;
  for (;;) {
    keep_time();
    // Keeping time may have waited for others, and taken in what would otherwise have ended the wait below.
    notice_stop();
    if ((status = waiter_.take_status(child_))) break;
    if (hangs_in_kernel()) {
      waiter_.abandon(child_);
      status = base::WaitStatus{base::WaitStatus::Kind::kSignaled, SIGKILL};
      break;
    }
    wait_for_something();
  }
  end_rest();
  waiter_.forward_to(0);
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

std::vector<pid_t> Attempt::spared() const {
  return plan_.spared ? plan_.spared() : std::vector<pid_t>();
}

// The platform's own SIGKILL is near when we have been told to stop.
base::Milliseconds Attempt::after_kill() const {
  return ended_.stop_signal != 0 ? base::Milliseconds(200) : base::Milliseconds(2000);
}

// A process that waits for a disk that does not answer outlives SIGKILL. Told to stop, we leave without it; else there
// is nothing better to do than to wait: beside it no other attempt may begin.
bool Attempt::hangs_in_kernel() const {
  return ended_.stop_signal != 0 && Clock::now() >= kill_at_ + after_kill();
}

// What the program leaves behind.
void Attempt::end_rest() {
  const auto left = kill_at_ == base::kForever
                        ? plan_.grace
                        : std::chrono::duration_cast<base::Milliseconds>(kill_at_ - Clock::now());
  drain();
  base::end_descendants(waiter_, spared(), std::max(left, base::Milliseconds(0)), after_kill());
  drain();
}

// Of the terminals. The kernel tells the foreground alone, which is the program's when it has been lent to it: so this
// is looked at whenever there is something to do.
void Attempt::follow_sizes() {
  bool changed = false;
  for (const Stream& stream : streams_) {
    if (stream.is_terminal && stream.pipe.valid()) changed = copy_size(stream.to, stream.pipe.get()) || changed;
  }
  if (changed) (void)::kill(-child_, SIGWINCH);
}

void Attempt::notice_stop() {
  follow_sizes();
  const int paused_by = waiter_.take_group_stopped_by();
  if (paused_by != 0 && plan_.on_pause) plan_.on_pause(paused_by, child_);
  if (waiter_.stop_signal() == 0 || ended_.stop_signal != 0) return;
  ended_.stop_signal = waiter_.stop_signal();
  kill_at_ = std::min(kill_at_, waiter_.stop_signal_at() + plan_.grace);
  (void)::kill(-child_, SIGCONT);  // one that is stopped could not save
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
    base::end_descendants(waiter_, spared(), base::Milliseconds(0), after_kill());
    return;
  }
  if (kill_at_ != base::kForever) return;
  if (plan_.lawful_until) lawful_until_ = plan_.lawful_until();
  if (now >= lawful_until_) {
    ended_.lease_lost = true;
    return end_program();
  }
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
  std::array<pollfd, 5> descriptors{};
  const bool watches_lease = plan_.lease_descriptor && kill_at_ == base::kForever;
  descriptors[4] = {watches_lease ? plan_.lease_descriptor() : -1, POLLIN, 0};
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    const Stream& stream = streams_[i];
    descriptors[i] = {stream.pipe.valid() && !stream.out.full() ? stream.pipe.get() : -1, POLLIN, 0};
    descriptors[i + 2] = {stream.out.waits_for_room() ? stream.out.descriptor() : -1, POLLOUT, 0};
  }
  TimePoint until = kill_at_;
  if (kill_at_ == base::kForever) {
    until = lawful_until_;
    if (plan_.on_tick) until = std::min(until, next_tick_);
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

namespace {

// Where a stream of the program ends (ours) and what the program is given.
struct Channel {
  UniqueFd ours;
  UniqueFd programs;
  bool is_terminal = false;
};

}  // namespace

static base::Result<Channel> open_channel(int to) {
  if (auto terminal = terminal_like(to))
    return Channel{std::move(terminal->ours), std::move(terminal->programs), /*is_terminal=*/true};
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return base::fail(base::system_error(errno, "make a pipe for the output"));
  (void)::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return Channel{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// Ctrl-C at a terminal that was lent to the program reached the program alone, and was meant for the whole.
static bool ended_by_keyboard(base::WaitStatus status) {
  using Kind = base::WaitStatus::Kind;
  return status == base::WaitStatus{Kind::kSignaled, SIGINT} || status == base::WaitStatus{Kind::kExited, 128 + SIGINT};
}

base::Result<Ended> supervise(base::Waiter& waiter, const Supervision& supervision) {
  auto output = open_channel(STDOUT_FILENO);
  if (!output) return base::fail(output.error());
  auto errors = open_channel(STDERR_FILENO);
  if (!errors) return base::fail(errors.error());
  base::Program program = supervision.program;
  program.output = output->programs.get();
  program.errors = errors->programs.get();
  Foreground foreground;
  program.foreground = foreground.ours();
  const auto child = base::spawn(program, waiter);
  if (!child) return base::fail(child.error());
  output->programs.reset();
  errors->programs.reset();
  std::array<Stream, 2> streams{Stream(std::move(output->ours), STDOUT_FILENO, output->is_terminal),
                                Stream(std::move(errors->ours), STDERR_FILENO, errors->is_terminal)};
  Ended ended = Attempt(waiter, supervision, *child, streams).run();
  if (foreground.ours() && ended.stop_signal == 0 && ended_by_keyboard(ended.status)) {
    foreground.take_back();
    ended.stop_signal = SIGINT;
    (void)::kill(::getpid(), SIGINT);
    waiter.wait({}, Clock::now());
    if (supervision.on_stop) supervision.on_stop();
  }
  return ended;
}

}  // namespace training
