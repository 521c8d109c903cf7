#include "launcher/boot/keeper/keeper.h"

#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "launcher/base/process.h"
#include "launcher/boot/keeper/say.h"

namespace boot {

using base::Clock;
using base::TimePoint;

// More than this waiting for the keeper means that its disk does not keep up.
static constexpr std::size_t kOutgoingMax = 4U << 20;

static Opening failed(base::Error error) {
  Opening opening;
  opening.error = std::move(error);
  return opening;
}

Opening Keeper::open(base::Waiter& waiter, const KeeperPlan& plan, base::Seconds deadline) {
  drop(waiter);
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return failed(base::system_error(errno, "start the keeper of the run's state"));
  }
  base::UniqueFd ours(ends[0]), its(ends[1]);
  const auto forked = base::fork_patiently(waiter, "start the keeper of the run's state");
  if (!forked) return failed(forked.error());
  const pid_t child = *forked;
  if (child == 0) {
    ours.reset();
    keep(std::move(its), plan);
  }
  waiter.expect(child);
  process_ = child;
  socket_ = std::move(ours);
  lifetime_ = plan.terms.lifetime;
  // Who tries again and again does so with less patience, and says so himself.
  constexpr base::Seconds kSilent{10};
  const bool is_patient = deadline > 2 * kSilent;
  auto answer = wait_for(waiter, FrameKind::kOpened, is_patient ? kSilent : deadline);
  if (!answer && is_patient && socket_.valid() && waiter.stop_signal() == 0) {
    say("no answer from the disk of {} for {} s; waiting for {} s at most", plan.folder.string(), kSilent.count(),
        deadline.count());
    answer = wait_for(waiter, FrameKind::kOpened, deadline - kSilent);
  }
  if (!answer) {
    drop(waiter);
    return failed(base::Error{.code = base::ErrorCode::kTimedOut,
                              .operation = "open the run's state",
                              .path = plan.folder.string(),
                              .system_errno = 0,
                              .detail = "its disk did not answer",
                              .remedy = "Look at the pod's volume."});
  }
  Opening opening = opening_from_json(answer->payload);
  if (opening.result != Opening::Result::kOpened) drop(waiter);
  if (opening.result == Opening::Result::kOpened && plan.epoch == 0) fenced_by_.clear();
  if (opening.result == Opening::Result::kOpened && !plan.shared_disk) lawful_until_ = base::kForever;
  if (opening.result == Opening::Result::kLeasedElsewhere && plan.epoch != 0) {
    fenced_by_ = lease::describe(opening.lease);
    lawful_until_ = TimePoint::min();
  }
  return opening;
}

void Keeper::send(FrameKind kind, std::string_view payload) {
  encode(kind, payload, outgoing_);
  push();
}

void Keeper::push() {
  while (socket_.valid() && !outgoing_.empty()) {
    const ssize_t count = ::send(socket_.get(), outgoing_.data(), outgoing_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return;
    if (count < 0) return socket_.reset();
    outgoing_.erase(0, static_cast<std::size_t>(count));
  }
}

// Reads what is there; false once the keeper is gone.
bool Keeper::pull() {
  char buffer[16384];
  while (socket_.valid()) {
    const ssize_t count = ::recv(socket_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    if (count > 0) {
      incoming_.append(buffer, static_cast<std::size_t>(count));
      while (auto frame = decode(incoming_)) take_in(std::move(*frame));
      continue;
    }
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return true;
    socket_.reset();
  }
  return false;
}

void Keeper::take_in(Frame frame) {
  switch (frame.kind) {
    case FrameKind::kResume:
      resume_asked_ = true;
      return;
    case FrameKind::kRenewed: {
      const std::chrono::nanoseconds began(std::stoll(frame.payload));
      lawful_until_ = TimePoint(std::chrono::duration_cast<Clock::duration>(began)) + lifetime_;
      return;
    }
    case FrameKind::kFenced:
      fenced_by_ = frame.payload;
      lawful_until_ = TimePoint::min();
      return;
    default:
      answers_.push_back(std::move(frame));
  }
}

std::optional<Frame> Keeper::wait_for(base::Waiter& waiter, FrameKind kind, base::Seconds deadline) {
  // The platform's SIGKILL follows its SIGTERM within seconds: a wait that a stop signal comes into is cut short.
  constexpr base::Seconds kLeftWhenToldToStop{2};
  TimePoint until = Clock::now() + deadline;
  bool told_to_stop = waiter.stop_signal() != 0;
  for (;;) {
    if (!told_to_stop && waiter.stop_signal() != 0) {
      told_to_stop = true;
      until = std::min(until, Clock::now() + kLeftWhenToldToStop);
    }
    const bool connected = pull();
    while (!answers_.empty()) {
      Frame frame = std::move(answers_.front());
      answers_.pop_front();
      if (frame.kind == kind) return frame;
    }
    if (!connected || Clock::now() >= until) return std::nullopt;
    push();
    const short events = outgoing_.empty() ? POLLIN : POLLIN | POLLOUT;
    pollfd descriptor{socket_.get(), events, 0};
    waiter.wait(std::span<pollfd>(&descriptor, 1), until);
  }
}

base::Result<void> Keeper::append(base::Waiter& waiter, const ledger::Record& record, base::Seconds deadline) {
  const auto trouble = [](base::ErrorCode code, std::string detail) {
    return base::fail(base::Error{.code = code,
                                  .operation = "write the ledger",
                                  .path = {},
                                  .system_errno = 0,
                                  .detail = std::move(detail),
                                  .remedy = {}});
  };
  if (!socket_.valid()) return trouble(base::ErrorCode::kSystem, "the keeper of the run's state is gone");
  send(FrameKind::kAppend, record_to_bytes(record));
  const auto answer = wait_for(waiter, FrameKind::kAppended, deadline);
  if (!answer && !socket_.valid()) return trouble(base::ErrorCode::kSystem, "the keeper of the run's state is gone");
  if (!answer) {
    // A late answer must not be taken for the next one's.
    drop(waiter);
    return trouble(base::ErrorCode::kTimedOut, "its disk did not answer");
  }
  if (!answer->payload.empty()) return trouble(base::ErrorCode::kSystem, answer->payload);
  return {};
}

void Keeper::keep_log(std::string_view bytes) {
  if (!socket_.valid() || outgoing_.size() > kOutgoingMax) return;
  send(FrameKind::kLog, bytes);
}

void Keeper::mark_log(std::string_view what) {
  if (!socket_.valid() || outgoing_.size() > kOutgoingMax) return;
  send(FrameKind::kMark, what);
}

void Keeper::watch_for_resume(bool watching) {
  resume_asked_ = false;
  if (socket_.valid()) send(watching ? FrameKind::kWatch : FrameKind::kIgnore, {});
}

bool Keeper::resume_asked() {
  pull();
  return std::exchange(resume_asked_, false);
}

void Keeper::close(base::Waiter& waiter, base::Seconds deadline) {
  if (process_ == 0) return;
  const TimePoint until = Clock::now() + deadline;
  send(FrameKind::kClose, {});
  while (socket_.valid() && pull() && Clock::now() < until) {
    push();
    const short events = outgoing_.empty() ? POLLIN : POLLIN | POLLOUT;
    pollfd descriptor{socket_.get(), events, 0};
    waiter.wait(std::span<pollfd>(&descriptor, 1), until);
  }
  drop(waiter);
}

// Whatever it was doing: it ends now, or hangs in the kernel and is left behind.
void Keeper::drop(base::Waiter& waiter) {
  socket_.reset();
  outgoing_.clear();
  incoming_.clear();
  answers_.clear();
  if (process_ == 0) return;
  (void)::kill(process_, SIGKILL);
  waiter.abandon(process_);
  process_ = 0;
}

}  // namespace boot
