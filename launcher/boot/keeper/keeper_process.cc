#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <nlohmann/json.hpp>

#include "launcher/base/files.h"
#include "launcher/base/time.h"
#include "launcher/boot/keeper/keeper.h"
#include "launcher/boot/keeper/say.h"
#include "launcher/training/kept_log.h"

namespace boot {

namespace fs = std::filesystem;

using nlohmann::json;

static constexpr base::Seconds kLookForResumeEvery{30};

namespace {

class Process {
 public:
  Process(base::UniqueFd socket, const KeeperPlan& plan) : socket_(std::move(socket)), plan_(plan) {}
  void run();

 private:
  Opening open();
  bool lock(Opening& opening);
  bool take_lease(Opening& opening);
  bool claim(Opening& opening);
  bool renew();
  bool fence();
  lease::Holder self() const;
  bool serve(const Frame& frame);
  std::string append(std::string_view bytes);
  void say_new_notes();
  bool is_shut_out();
  void look_for_resume();
  bool read_more();
  bool keep_time();
  void tell_renewed(base::TimePoint began);
  int milliseconds_to_next() const;
  void answer(FrameKind kind, std::string_view payload);
  std::string path(const char* name) const { return (plan_.folder / name).string(); }
  std::string lock_name() const;

  base::UniqueFd socket_;
  const KeeperPlan& plan_;
  base::UniqueFd lock_;
  lease::Lock locked_ = lease::Lock::kUnknown;
  std::optional<lease::Tenure> tenure_;
  std::optional<ledger::Ledger> ledger_;
  std::size_t notes_said_ = 0;
  std::string incoming_;
  bool watching_ = false;
  base::TimePoint next_beat_ = base::kForever;
  base::TimePoint next_look_ = base::kForever;
};

}  // namespace

void Process::answer(FrameKind kind, std::string_view payload) {
  std::string bytes;
  encode(kind, payload, bytes);
  base::write_all(socket_.get(), bytes);
}

static std::string with_rank(const char* name, int rank) {
  return rank == 0 ? name : fmt::format("{}-{}", name, rank);
}

std::string Process::lock_name() const {
  return with_rank("lease", plan_.rank) + ".lock";
}

lease::Holder Process::self() const {
  return {plan_.identity.pod, plan_.identity.host, plan_.identity.boot, base::wall_clock_seconds()};
}

bool Process::lock(Opening& opening) {
  const std::string file = path(lock_name().c_str());
  lock_.reset(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!lock_.valid()) {
    opening.error = base::system_error(errno, "open the lease", file);
    return false;
  }
  if (::flock(lock_.get(), LOCK_EX | LOCK_NB) == 0) {
    locked_ = lease::Lock::kHad;
  } else {
    locked_ = errno == EWOULDBLOCK ? lease::Lock::kDenied : lease::Lock::kUnknown;
  }
  return true;
}

// The first claim of this launcher, over whatever is there.
bool Process::claim(Opening& opening) {
  const fs::path folder = plan_.folder / with_rank("lease", plan_.rank);
  const auto sight = lease::look(folder);
  if (!sight) return opening.error = sight.error(), false;
  const bool silent = plan_.silent && plan_.silent->same_beat(*sight);
  if (!lease::is_free(*sight, self(), {locked_, plan_.shared_disk, silent})) {
    const bool here = locked_ == lease::Lock::kDenied;
    opening.result = here ? Opening::Result::kLeasedHere : Opening::Result::kLeasedElsewhere;
    opening.lease = *sight;
    return false;
  }
  auto tenure = lease::Tenure::claim(folder, *sight, self(), plan_.terms);
  if (tenure) return tenure_ = std::move(*tenure), true;
  opening.error = tenure.error();
  if (tenure.error().code == base::ErrorCode::kBusy) {
    opening.result = Opening::Result::kLeasedElsewhere;
    opening.lease = lease::look(folder).value_or(*sight);
  }
  return false;
}

bool Process::take_lease(Opening& opening) {
  const base::TimePoint began = base::Clock::now();
  if (plan_.epoch == 0) {
    if (!claim(opening)) return false;
  } else {
    const fs::path folder = plan_.folder / with_rank("lease", plan_.rank);
    auto tenure = lease::Tenure::go_on(folder, plan_.epoch, self(), plan_.terms);
    // Where the lock is the truth, a lease that somebody has deleted is taken anew.
    const bool deleted = !tenure && tenure.error().code == base::ErrorCode::kNotFound;
    if (deleted && !plan_.shared_disk && locked_ == lease::Lock::kHad) return claim(opening);
    if (!tenure) {
      opening.error = tenure.error();
      if (tenure.error().code != base::ErrorCode::kBusy) return false;
      opening.result = Opening::Result::kLeasedElsewhere;
      opening.lease = lease::look(folder).value_or(lease::Sight());
      return false;
    }
    tenure_ = std::move(*tenure);
  }
  opening.lease.epoch = tenure_->epoch();
  opening.lease.holder = self();
  if (plan_.shared_disk) tell_renewed(began);
  return true;
}

void Process::tell_renewed(base::TimePoint began) {
  const auto since = std::chrono::duration_cast<std::chrono::nanoseconds>(began.time_since_epoch());
  answer(FrameKind::kRenewed, std::to_string(since.count()));
}

// False once it was taken over. One that could not be written is tried again: the launcher knows how long.
bool Process::renew() {
  const base::TimePoint began = base::Clock::now();
  const auto renewed = tenure_->renew();
  if (renewed) tell_renewed(began);
  next_beat_ = base::Clock::now() + (renewed ? plan_.terms.renew_every() : plan_.terms.renew_every() / 4);
  if (renewed || renewed.error().code != base::ErrorCode::kBusy) return true;
  answer(FrameKind::kFenced, renewed.error().detail);
  return false;
}

// True when there is somebody else now: then nothing of ours may be written any more.
bool Process::fence() {
  if (!plan_.shared_disk || !tenure_->is_lost()) return false;
  const auto renewed = tenure_->renew();
  if (renewed || renewed.error().code != base::ErrorCode::kBusy) return false;
  answer(FrameKind::kFenced, renewed.error().detail);
  return true;
}

Opening Process::open() {
  Opening opening;
  if (auto made = base::make_folders(plan_.folder.string()); !made) {
    opening.error = made.error();
    return opening;
  }
  if (!lock(opening) || !take_lease(opening)) return opening;
  const ledger::Ledger::Redact redact = [this](std::string_view text) { return plan_.redactor->redact(text); };
  const auto file = plan_.folder / "ledger.jsonl";
  auto opened = ledger::Ledger::open(file, redact);
  if (opened) opened->go_on_from(plan_.remembered);
  // A ledger without one readable record is moved aside only when somebody said resume.
  if (!opened && opened.error().code == base::ErrorCode::kDamaged && ::unlink(path("resume").c_str()) == 0) {
    opened = ledger::Ledger::start_anew(file, redact);
  }
  if (!opened) {
    opening.error = opened.error();
    return opening;
  }
  ledger_ = std::move(*opened);
  opening.result = Opening::Result::kOpened;
  opening.memory = ledger_->memory();
  opening.notes = ledger_->notes();
  notes_said_ = opening.notes.size();
  return opening;
}

std::string Process::append(std::string_view bytes) {
  const auto record = record_from_bytes(bytes);
  if (!record) return "the record could not be read";
  const auto appended = ledger_->append(*record);
  say_new_notes();
  return appended ? std::string() : appended.error().message();
}

void Process::say_new_notes() {
  for (; notes_said_ < ledger_->notes().size(); ++notes_said_) say("{}", ledger_->notes()[notes_said_]);
}

// A lock file that somebody has deleted keeps nobody out, so it is made again. True: another launcher was faster.
bool Process::is_shut_out() {
  if (::access(path(lock_name().c_str()).c_str(), F_OK) == 0 || errno != ENOENT) return false;
  Opening opening;
  if (!lock(opening) || locked_ != lease::Lock::kDenied) return false;
  answer(FrameKind::kFenced, "the run's state was deleted, and another process on this host has it now");
  return true;
}

void Process::look_for_resume() {
  if (::unlink(path("resume").c_str()) != 0) return;
  watching_ = false;
  answer(FrameKind::kResume, {});
}

int Process::milliseconds_to_next() const {
  const base::TimePoint next = std::min(next_beat_, watching_ ? next_look_ : base::kForever);
  if (next == base::kForever) return -1;
  const auto left = std::chrono::ceil<base::Milliseconds>(next - base::Clock::now());
  return static_cast<int>(std::max<base::Milliseconds::rep>(0, left.count()));
}

// False when the run is somebody else's.
bool Process::keep_time() {
  const base::TimePoint now = base::Clock::now();
  if (now >= next_beat_ && !renew()) return false;
  if (watching_ && now >= next_look_) {
    // Nobody finds a run to resume whose state was deleted.
    ledger_->tend();
    say_new_notes();
    if (is_shut_out()) return false;
    look_for_resume();
    next_look_ = base::Clock::now() + kLookForResumeEvery;
  }
  return true;
}

bool Process::read_more() {
  char buffer[65536];
  const ssize_t count = ::recv(socket_.get(), buffer, sizeof buffer, 0);
  if (count < 0 && errno == EINTR) return true;
  if (count <= 0) return false;
  incoming_.append(buffer, static_cast<std::size_t>(count));
  return true;
}

void Process::run() {
  const Opening opening = open();
  answer(FrameKind::kOpened, opening_to_json(opening));
  if (opening.result != Opening::Result::kOpened) return;
  if (plan_.shared_disk) next_beat_ = base::Clock::now() + plan_.terms.renew_every();
  training::KeptLog log(plan_.folder / "logs", *plan_.redactor);
  for (bool going_on = true; going_on;) {
    pollfd descriptor{socket_.get(), POLLIN, 0};
    const int ready = ::poll(&descriptor, 1, milliseconds_to_next());
    if (!keep_time()) return;  // and the log ends as it is: it is the other one's now
    if (ready <= 0) continue;
    going_on = read_more();
    while (auto frame = decode(incoming_)) {
      if (frame->kind == FrameKind::kAppend && fence()) return;
      if (frame->kind == FrameKind::kLog) log.write(frame->payload);
      if (frame->kind == FrameKind::kMark) log.mark(frame->payload);
      if (!serve(*frame)) going_on = false;
    }
  }
  log.finish();
  tenure_->release();
}

// False when it is time to end.
bool Process::serve(const Frame& frame) {
  switch (frame.kind) {
    case FrameKind::kAppend:
      answer(FrameKind::kAppended, append(frame.payload));
      return !is_shut_out();
    case FrameKind::kWatch:
      watching_ = true;
      next_look_ = base::Clock::now();
      return true;
    case FrameKind::kIgnore:
      watching_ = false;
      return true;
    case FrameKind::kClose:
      return false;
    default:
      return true;
  }
}

[[noreturn]] void keep(base::UniqueFd socket, const KeeperPlan& plan) {
  // A group of its own, and deaf to what ends others: the launcher decides when the last record has been written.
  ::setpgid(0, 0);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2}) ::signal(signal, SIG_IGN);
  base::UniqueFd mine = std::move(socket);
  try {
    Process(std::move(mine), plan).run();
  } catch (const std::exception&) {
    ::_exit(1);  // the launcher sees the closed socket
  }
  ::_exit(0);
}

}  // namespace boot
