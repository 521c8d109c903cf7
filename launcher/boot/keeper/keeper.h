// The keeper: a forked process that does for the launcher whatever touches the run's state, for as long as the boot
// lasts: it holds the lease, appends to the ledger, keeps the training's output, looks for a request to resume.
// The launcher talks to it with deadlines, so a disk that hangs stops the keeper and never the launcher. It ends when
// told to, or when the launcher is gone; a signal meant for the training does not end it.
//
// The lease (launcher/lease). The keeper holds and renews it and tells the launcher of each renewal; the launcher knows
// by its own clock until when it may go on, whether the keeper lives, hangs or is gone. A keeper that finds the lease
// taken over says so, writes nothing more and ends.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "launcher/base/redaction.h"
#include "launcher/base/waiter.h"
#include "launcher/boot/keeper/frames.h"
#include "launcher/lease/lease.h"
#include "launcher/ledger/ledger.h"
#include "launcher/pod/identity.h"

namespace boot {

struct KeeperPlan {
  std::filesystem::path folder;  // <state>/<run>
  pod::Identity identity;
  int rank = 0;              // each rank of a run has a lease of its own
  bool shared_disk = false;  // other hosts may have it mounted: the lease has to be renewed
  lease::Terms terms;
  std::optional<lease::Sight> silent;  // this one, as it was seen, has not beaten for long enough
  std::uint64_t epoch = 0;             // not 0: goes on with what this launcher claimed before
  ledger::Memory remembered;           // by a launcher whose run's state may have been deleted meanwhile
  const base::Redactor* redactor = nullptr;
};

struct Opening {
  enum class Result { kOpened, kLeasedHere, kLeasedElsewhere, kFailed };
  Result result = Result::kFailed;
  ledger::Memory memory;
  std::vector<std::string> notes;
  lease::Sight lease;  // ours for kOpened, somebody else's for the two that are leased
  base::Error error;   // for kFailed
};

class Keeper {
 public:
  Keeper() = default;
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;

  // Forks it and waits for what it found. After anything but kOpened there is no keeper.
  Opening open(base::Waiter& waiter, const KeeperPlan& plan, base::Seconds deadline);

  // On disk when it returns.
  base::Result<void> append(base::Waiter& waiter, const ledger::Record& record, base::Seconds deadline);

  // Never waits; what the keeper cannot take in time is not kept.
  void keep_log(std::string_view bytes);
  void mark_log(std::string_view what);

  void watch_for_resume(bool watching);
  // To be polled for; `resume_asked` then tells whether that was it.
  int descriptor() const { return socket_.get(); }
  bool resume_asked();

  // False once it is seen that the keeper is gone, or that there never was one.
  bool connected() const { return socket_.valid(); }
  pid_t process() const { return process_; }

  // Until when the launcher may go on with what needs the lease: the past once it was taken over, kForever where it
  // need not be renewed. It outlasts the keeper.
  base::TimePoint lawful_until() const { return lawful_until_; }
  // Takes in what the keeper has said, without waiting.
  void listen() { pull(); }
  // By whom it was taken over; empty otherwise.
  const std::string& fenced_by() const { return fenced_by_; }

  // Hands the lease back, as long as that takes no longer than the deadline.
  void close(base::Waiter& waiter, base::Seconds deadline);

 private:
  void send(FrameKind kind, std::string_view payload);
  void push();
  bool pull();
  void take_in(Frame frame);
  std::optional<Frame> wait_for(base::Waiter& waiter, FrameKind kind, base::Seconds deadline);
  void drop(base::Waiter& waiter);

  base::UniqueFd socket_;
  pid_t process_ = 0;
  std::string outgoing_;
  std::string incoming_;
  std::deque<Frame> answers_;
  bool resume_asked_ = false;
  base::Seconds lifetime_{0};
  base::TimePoint lawful_until_ = base::kForever;
  std::string fenced_by_;
};

// The keeper's own side; never returns.
[[noreturn]] void keep(base::UniqueFd socket, const KeeperPlan& plan);

std::string opening_to_json(const Opening& opening);
Opening opening_from_json(std::string_view text);
std::string record_to_bytes(const ledger::Record& record);
std::optional<ledger::Record> record_from_bytes(std::string_view bytes);

}  // namespace boot
