#include <fcntl.h>
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
#include "launcher/boot/keeper.h"
#include "launcher/training/kept_log.h"

namespace boot {

using nlohmann::json;

static constexpr base::Seconds kBeatEvery{60};
static constexpr base::Seconds kLookForResumeEvery{30};

namespace {

struct Lease {
  std::string pod;
  std::string host;
  std::uint64_t beat = 0;
  bool released = true;
};

class Process {
 public:
  Process(base::UniqueFd socket, const KeeperPlan& plan) : socket_(std::move(socket)), plan_(plan) {}
  void run();

 private:
  Opening open();
  bool lock(Opening& opening);
  bool take_lease(Opening& opening);
  void write_lease(bool released);
  bool serve(const Frame& frame);
  std::string append(std::string_view bytes);
  void look_for_resume();
  bool read_more();
  void keep_time();
  int milliseconds_to_next() const;
  void answer(FrameKind kind, std::string_view payload);
  std::string path(const char* name) const { return (plan_.folder / name).string(); }

  base::UniqueFd socket_;
  const KeeperPlan& plan_;
  base::UniqueFd lock_;
  std::uint64_t beat_ = 0;
  std::optional<ledger::Ledger> ledger_;
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

static Lease read_lease(const std::string& path) {
  Lease lease;
  const auto text = base::read_file(path, 4096);
  if (!text) return lease;
  const json document = json::parse(*text, nullptr, false);
  if (!document.is_object()) return lease;  // cut off while it was written: whoever did that has ended
  lease.pod = document.value("pod", "");
  lease.host = document.value("host", "");
  lease.beat = document.value("beat", std::uint64_t{0});
  lease.released = document.value("released", true);
  return lease;
}

void Process::write_lease(bool released) {
  const json document{
      {"pod", plan_.identity.pod}, {"host", plan_.identity.host}, {"beat", beat_}, {"released", released}};
  // A lease that cannot be written is no reason to end the training; the ledger's own failure is noticed elsewhere.
  (void)base::write_file_durably(path("lease.json"), document.dump(-1, ' ', false, json::error_handler_t::replace));
}

bool Process::lock(Opening& opening) {
  lock_.reset(::open(path("lease.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!lock_.valid()) {
    opening.error = base::system_error(errno, "open the lease", path("lease.lock"));
    return false;
  }
  if (::flock(lock_.get(), LOCK_EX | LOCK_NB) == 0) return true;
  // Some network file systems know no locks; the beat alone then decides.
  if (errno != EWOULDBLOCK) return true;
  opening.result = Opening::Result::kLeasedHere;
  opening.holder = read_lease(path("lease.json")).pod;
  return false;
}

bool Process::take_lease(Opening& opening) {
  const Lease lease = read_lease(path("lease.json"));
  beat_ = lease.beat + 1;
  const bool foreign = !lease.released && lease.pod != plan_.identity.pod;
  if (plan_.shared_disk && foreign && !plan_.take_over) {
    opening.result = Opening::Result::kLeasedElsewhere;
    opening.holder = lease.pod;
    opening.beat = lease.beat;
    return false;
  }
  write_lease(false);
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
  return opening;
}

std::string Process::append(std::string_view bytes) {
  const auto record = record_from_bytes(bytes);
  if (!record) return "the record could not be read";
  const auto appended = ledger_->append(*record);
  return appended ? std::string() : appended.error().message();
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

void Process::keep_time() {
  const base::TimePoint now = base::Clock::now();
  if (now >= next_beat_) {
    ++beat_;
    write_lease(false);
    next_beat_ = base::Clock::now() + kBeatEvery;
  }
  if (watching_ && now >= next_look_) {
    look_for_resume();
    next_look_ = base::Clock::now() + kLookForResumeEvery;
  }
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
  if (plan_.shared_disk) next_beat_ = base::Clock::now() + kBeatEvery;
  training::KeptLog log(plan_.folder / "logs", *plan_.redactor);
  for (bool going_on = true; going_on;) {
    pollfd descriptor{socket_.get(), POLLIN, 0};
    const int ready = ::poll(&descriptor, 1, milliseconds_to_next());
    keep_time();
    if (ready <= 0) continue;
    going_on = read_more();
    while (auto frame = decode(incoming_)) {
      if (frame->kind == FrameKind::kLog) log.write(frame->payload);
      if (!serve(*frame)) going_on = false;
    }
  }
  log.finish();
  write_lease(true);
}

// False when it is time to end.
bool Process::serve(const Frame& frame) {
  switch (frame.kind) {
    case FrameKind::kAppend:
      answer(FrameKind::kAppended, append(frame.payload));
      return true;
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
