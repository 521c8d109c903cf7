// What a world leaves behind: the only thing that oracles and reports look at, besides the disks themselves.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/wait_status.h"
#include "harness/scenario/scenario.h"

namespace pod {

using scenario::Duration;

enum class EventKind {
  kBoot,        // the container started
  kBootEnd,     // and ended
  kPhase,       // a line the command printed that names a phase of its work
  kAttempt,     // the trainer began, from which step
  kCheckpoint,  // the trainer completed a checkpoint
  kFinished,    // the trainer reached its last step
  kTrainerEnd,  // the trainer's process ended
  kFault,       // the timeline acted
  kHeal,        // a fault's time was over
  kNote,
};

struct Event {
  Duration at{0};
  int boot = 0;
  EventKind kind = EventKind::kNote;
  std::string text;  // a phrase for people
  int step = -1;     // for kAttempt the step it starts from, for kCheckpoint the step it holds
};

enum class BootEnd { kOwnExit, kInterrupted, kKilled, kRecreated, kStopped, kStillRunning };

// One run of the training command, as its marks tell.
struct Attempt {
  int boot = 0;
  Duration start{0};
  Duration end{0};
  int from_step = 0;
  int last_step = 0;
  bool finished = false;
};

// How one thing outside a process was observed.
enum class ObservationKind { kAbsent, kStat, kContent, kListing, kLink };

// What the boot observed before it wrote it itself, and what it changed. Paths are the pod's, absolute, normalised.
// Only paths on the world's own disks count: the rest of the pod cannot change.
struct BootTrace {
  std::set<std::pair<std::string, ObservationKind>> read_set;
  std::set<std::string> changed;  // differs after the boot from before it: created, removed, other content or type
  std::set<std::string> listing_changed;  // folders whose set of names differs
  std::vector<std::string> answers;       // what the network said, in order, without times
  std::vector<std::string> unobserved;    // what could not be seen (io_uring, …); any entry forbids PROVEN
};

struct Boot {
  int number = 0;
  std::string pod_id;
  Duration start{0};
  Duration end{0};
  BootEnd ended_by = BootEnd::kStillRunning;
  base::WaitStatus status;   // valid unless still running
  int best_step_before = 0;  // progress known when it began
  int best_step_after = 0;
  // The timeline acted between the end of the boot before and the end of this one. A fault of an `every` entry that
  // only concerns the trainer or pip is part of the world by then and disturbs nothing.
  bool disturbed = false;
  BootTrace trace;
  // What the boot itself started most often at its end, one after the other without progress or anything from outside.
  int starts_in_a_row = 0;
  std::string started = {};  // "the training", "pip install"
};

struct LogLine {
  Duration at{0};
  int boot = 0;
  std::string text;
};

// A piece of the user's work that must exist somewhere on the surviving disks at the end.
struct Precious {
  std::string description;  // "local edit of train.py at 0:10"
  std::string path;         // where it lay
  std::string content;      // these bytes, as a file, as a git object, or within a log of either
  bool in_git = false;      // the user has given it to git; else it is the file alone
};

struct DiskView {
  std::string mount_path;  // in the pod
  std::string host_path;   // where the simulator can read it while the world exists
  scenario::DiskKind kind = scenario::DiskKind::kContainer;
};

struct WorldRecord {
  std::vector<Event> events;
  std::vector<Boot> boots;
  std::vector<Attempt> attempts;
  std::vector<LogLine> log;
  std::vector<Precious> precious;
  std::vector<DiskView> disks;           // the container disk has mount_path "/"
  std::string rest_of_pod;               // a host path at which the whole pod's file system can be read at the end
  std::string upstream_path;             // the world's bare upstream repository
  std::vector<std::string> not_covered;  // what the stage saw and cannot vouch for
  std::string final_path;                // where a finished training leaves its weights, in the pod
  std::string reference_final;  // what stands there after an uninterrupted training; empty where that is not known
  std::optional<scenario::Outcome> outcome;  // as the end of the world shows it; loops are the oracle's to find
  Duration end{0};
  int stop_calls = 0;  // requests to stop or terminate the pod that the provider answered with success
  std::vector<std::string> malformed_requests;  // that the provider refused because they are no such requests
  Duration billed{0};                           // how long there was a pod that costs
  double real_seconds = 0;
  bool pending_timeline = false;              // some entry never fired
  std::vector<std::string> pending;           // which, for people: "line 14: step 120"
  std::vector<std::string> passed_over = {};  // what the timeline wanted and could not do at its moment
};

}  // namespace pod
