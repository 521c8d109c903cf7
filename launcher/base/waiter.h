// All waiting of the launcher: for signals, ended children, descriptors and time. Nothing else in it sleeps or blocks.
#pragma once

#include <poll.h>
#include <sys/types.h>

#include <map>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "base/wait_status.h"
#include "launcher/base/time.h"

namespace base {

class Waiter {
 public:
  // Blocks the signals that it takes from then on. Call it first thing: what comes later is kept, never lost.
  static Result<Waiter> open();

  // Returns when a descriptor is ready, a signal came, a child ended or `until` has passed. Fills in `revents`.
  // Zombies are reaped on the way, also those that were never ours to begin with.
  void wait(std::span<pollfd> descriptors, TimePoint until);

  // A child whose end somebody will ask for. Call it right after fork.
  void expect(pid_t child);
  // Its status, once, if it has ended.
  std::optional<WaitStatus> take_status(pid_t child);
  // Nobody will ask any more; it is reaped in silence.
  void abandon(pid_t child);

  // SIGTERM, SIGINT, SIGQUIT or SIGHUP, the first that came; 0 before. It stays: the launcher is on its way out.
  // One that a process below us sent does not count and is not kept: training scripts run `pkill -f` over their
  // neighbours, and our command line contains theirs.
  int stop_signal() const { return stop_signal_; }
  TimePoint stop_signal_at() const { return stop_signal_at_; }

  // From now on every signal goes on to this process group the moment it comes, whatever we are waiting for just then.
  // So do those that came since nobody was there to have them; a stop signal reaches each group. 0: to nobody.
  void forward_to(pid_t group);

  // The signal that the group's leader was stopped by since the last call; 0: by none. Nobody continues it.
  int take_group_stopped_by() { return std::exchange(group_stopped_by_, 0); }

  // In a new child, before exec: no signal blocked, none ignored.
  static void restore_signals();

 private:
  void read_signals();
  void reap();

  UniqueFd signal_descriptor_;
  std::set<pid_t> expected_;
  std::map<pid_t, WaitStatus> ended_;
  std::vector<int> signals_;
  int stop_signal_ = 0;
  TimePoint stop_signal_at_ = kForever;
  pid_t group_ = 0;
  int group_stopped_by_ = 0;
};

}  // namespace base
