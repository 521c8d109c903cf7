// The stage: a tree of real processes whose clock, timers and view of time are the stage's, and whose looks at named
// things are reported. It owns all waiting: nothing else in simrun waits for a tracee.
//
// The loop is: take what the kernel reports; when nothing is pending and every thread waits (two identical looks at
// /proc, see idle.cc), jump the clock to the next deadline and fire it. One thread does all of it, on the same
// processor as its tracees, which makes a stop eight times cheaper than across processors.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "base/wait_status.h"
#include "harness/stage/clock.h"
#include "harness/stage/disk_faults.h"
#include "harness/stage/fault_point.h"
#include "harness/stage/paths.h"
#include "harness/stage/syscalls.h"
#include "harness/stage/tracee.h"

namespace stage {

// A look at, or a change of, something that has a name; reported after the call returned.
struct PathUse {
  const Process& process;
  const Syscall& syscall;
  const std::string& path;         // absolute, normalised, as the pod sees it
  const std::string& second_path;  // the target of a rename or the source of a link
  long result;                     // what the call returned: negative errno on failure
  bool writes;                     // for opens: could create or change
  bool creates;                    // for opens: O_CREAT
  bool truncates;                  // for opens: O_TRUNC
  bool reads;                      // for opens: what is there can be read, or changed in its middle
  bool exclusive;                  // for opens: O_EXCL
  bool follows;                    // a link at the end of the path is followed
};

// Whom a socket is being connected to.
struct Peer {
  bool is_local = false;  // a socket of this machine's file system
  int port = 0;           // of an internet address
};

// What the stage tells its owner. Any of these may kill tracees, by signal only.
class Watcher {
 public:
  virtual ~Watcher() = default;
  virtual void path_used(const PathUse& use) = 0;
  // A name under kMarkFolder was looked at. The number is the error that the look ends with; ENOENT is what the program
  // would see without a stage, 0 makes the name exist.
  virtual int mark(const Process& process, const std::string& what) = 0;
  // Another file to be opened in the place of this one; empty: the one that was asked for.
  virtual std::string instead_of(const std::string& path) = 0;
  virtual void syscall_entered(const Process& process, const Syscall& syscall) = 0;
  virtual void executed(const Process& process) = 0;
  // Fault points: told of only where the filter was installed with FaultPoints::kWatched. `result` as the call
  // returned.
  virtual Order changing(const Change&) { return GoUnwatched{}; }
  virtual void changed(const Change&, long /*result*/) {}
  // 0, or the errno with which the connection fails.
  virtual int connecting(const Process& process, const Peer& peer) = 0;
  virtual void ended(const Process& process, base::WaitStatus status) = 0;
  // Reads what the tracees have written to the world's pipes. True when there was something.
  virtual bool drain() = 0;
};

// Looked at below it by a program of the pod, or by a service with `access`: the watcher is told.
inline constexpr std::string_view kMarkFolder = "/.simrun/mark/";

enum class Pause {
  kStopped,   // the watcher asked for it with stop()
  kEmpty,     // no process is left, and no deadline
  kDeadlock,  // every thread waits, and no deadline is left that could wake one
};

class Stage {
 public:
  Stage(VirtualClock& clock, Watcher& watcher);
  ~Stage();
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  // Takes over a child of this process that waits, before its exec, for something its owner will do (a byte in a pipe).
  // `is_first`: the pod's first process, whose end is the end of all others.
  base::Result<void> adopt(pid_t child, Troupe troupe, bool is_first = true);

  // Runs the world until one of the reasons to pause.
  Pause run();
  void stop() { stop_requested_ = true; }

  // Calls `action` when the world's clock reaches `when`.
  TimerId at(Nanoseconds when, std::function<void()> action);
  void cancel(TimerId timer) { timers_.erase(timer); }

  // What the pod's programs are told when they ask for random bytes follows from this, and from who asks.
  void seed_randomness(std::uint64_t seed);

  // Cuts services off: their threads stay stopped until released. Their peers see connections that stall.
  void hold_services();
  void release_services();

  // From now on calls that change a file are shown to the watcher before they are made.
  void watch_changes() { watches_changes_ = true; }
  // For a process that was forked off from the stage's: the tracees are not its own, and it lets go of them and of
  // their deadlines. What was planned with at() stays planned.
  void forsake();

  // Realtime is this far from where it was; deadlines that name a time of day move along.
  void step_wall_clock(Nanoseconds by);

  // Disks that can fail, by where they are mounted; before the first process is adopted. What lives in the pod must
  // have been given a filter that traps the calls of Family::kDisk.
  void let_disks_fail(std::vector<std::string> mount_paths);
  // From now on, until healed. `unkillable` is for hanging disks: not even SIGKILL ends what waits for them.
  void fail_disk(const std::string& mount_path, DiskFault fault, bool unkillable = false);
  void heal_disk(const std::string& mount_path);

  // True while any process of the troupe lives.
  bool alive(Troupe troupe) const;
  // Calls `visit` for every process of the pod.
  void for_each_process(const std::function<void(const Process&)>& visit) const;
  // What each thread of the pod waits for, in words: for a reader who wonders why nothing happens.
  std::vector<std::string> waiting() const;
  // What the stage saw and cannot vouch for, in words.
  const std::set<std::string>& not_covered() const { return not_covered_; }
  std::uint64_t stops() const { return stops_; }
  VirtualClock& clock() { return clock_; }

 private:
  // stage.cc: the waiter
  void handle(pid_t id, int status);
  void handle_event(Thread& thread, int event, int status);
  void handle_new_child(Thread& parent, int event);
  void handle_exec(Thread& thread);
  void handle_end(Thread& thread, int status);
  void enter_call(Thread& thread, bool again = false);
  void leave_call(Thread& thread);
  void note_unseen(const Thread& thread, std::string_view call, std::string_view why);
  void deliver_signal(Thread& thread, int signal);
  void resume(Thread& thread, int request, int signal = 0);
  Thread& thread_for(pid_t id);
  void wait_for_event();
  void charge_computation();

  // idle.cc
  bool everybody_waits();
  bool a_pod_is_ending() const;
  bool scan(bool& changed);
  bool look_at(Thread& thread, bool& changed);
  void find_socket_deadlines();

  // waits.cc: calls that wait, and reads of the clock
  void enter_clock_read(Thread& thread, const user_regs_struct& registers);
  void leave_clock_read(Thread& thread, user_regs_struct registers);
  void enter_wait(Thread& thread, const user_regs_struct& registers);
  void leave_wait(Thread& thread, user_regs_struct& registers);
  void leave_system_info(Thread& thread, const user_regs_struct& registers);
  void wait_until(Thread& thread, user_regs_struct registers, Nanoseconds deadline);
  void expire(pid_t id);
  void answer(Thread& thread, user_regs_struct registers, long result);
  void drop_deadline(Call& call);

  // timers.cc
  void enter_timer(Thread& thread, const user_regs_struct& registers);
  void leave_timer(Thread& thread, const user_regs_struct& registers);
  void set_alarm(Thread& thread, const user_regs_struct& registers);
  void set_interval_timer(Thread& thread, const user_regs_struct& registers);
  void set_posix_timer(Thread& thread, const user_regs_struct& registers);
  void set_timer_descriptor(Thread& thread, const user_regs_struct& registers);
  void arm(pid_t process, int timer, Nanoseconds when);
  void go_off(pid_t process, int timer);
  void fire_timer_descriptor(std::size_t index);
  ProcessTimer* find_timer(pid_t process, int timer);
  void disarm(ProcessTimer& timer);
  void drop_timers(Process& process, bool also_alarm);
  void enter_socket_option(Thread& thread, const user_regs_struct& registers);

  // paths.cc
  void enter_path(Thread& thread, const Syscall& syscall, const user_regs_struct& registers);
  void leave_path(Thread& thread, const Syscall& syscall, const user_regs_struct& registers);
  void report_path(const Thread& thread, const Syscall& syscall, const PathArguments& arguments, long result);
  void open_instead(Thread& thread, const Syscall& syscall, const std::string& other);
  void enter_connect(Thread& thread, const user_regs_struct& registers);

  // changes.cc: fault points
  bool interpose(Thread& thread, const Change& change);
  void enter_change(Thread& thread, const Syscall& syscall, const user_regs_struct& registers);
  void leave_change(Thread& thread, const Syscall& syscall, const user_regs_struct& registers);
  Change describe_change(const Thread& thread, const Syscall& syscall, const Call& call) const;
  void map_times(Thread& thread, const user_regs_struct& registers);
  void report_listing(Thread& thread, const user_regs_struct& registers);

  // disk_calls.cc
  bool meets_disk_fault(Thread& thread, const Syscall& syscall, const user_regs_struct& registers);
  void go_on_after_disk(const std::string& mount_path);
  void leave_life(Thread& thread);

  // randomness.cc
  void enter_random(Thread& thread, const user_regs_struct& registers);

  // A timer behind a descriptor, while it is armed.
  struct TimerDescriptor {
    base::UniqueFd file;  // the stage's own handle on the tracee's timer
    Nanoseconds interval = 0;
    std::optional<TimerId> armed;
  };

  VirtualClock& clock_;
  Watcher& watcher_;
  std::unordered_map<pid_t, std::unique_ptr<Thread>> threads_;
  std::map<pid_t, std::shared_ptr<Process>> processes_;
  std::map<TimerId, std::function<void()>> timers_;
  std::map<std::size_t, TimerDescriptor> timer_descriptors_;
  std::size_t next_timer_descriptor_ = 0;
  std::uint64_t next_order_ = 0;
  std::set<std::string> not_covered_;
  std::uint64_t random_seed_ = 0;
  std::map<std::string, int> processes_that_drew_;  // by spawn path
  bool stop_requested_ = false;
  bool services_held_ = false;
  bool watches_changes_ = false;
  bool disks_can_fail_ = false;
  DiskFaults disk_faults_;
  std::set<std::string> unkillable_disks_;  // of those that hang
  std::uint64_t stops_ = 0;
  Nanoseconds last_event_ = 0;             // monotonic, real
  Nanoseconds last_jump_ = 0;              // monotonic, real
  Nanoseconds last_measure_ = 0;           // monotonic, real
  std::map<pid_t, Nanoseconds> computed_;  // what each process had computed at the last measure
};

// The simulator's own clock.
Nanoseconds real_now();

// Makes a path absolute and removes ".", ".." and doubled slashes, by its letters alone.
std::string normalise(std::string_view path);

}  // namespace stage
