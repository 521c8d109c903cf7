// Processes that wait at a moment of the recorded play and let worlds begin there.
//
// A zygote is forked off from the recording process and does nothing but wait. Asked for a world, it forks once more:
// the child moves into namespaces of its own, puts the disks into the state that the fault leaves, and goes on with the
// play. So every world begins with the clock, the timeline and the memory of that moment, and none replays the past. A
// zygote lives until its control socket is closed; it ends worlds that take too long and gives back their processors.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "harness/explore/workers.h"
#include "harness/oracle/result.h"
#include "harness/pod/world/world.h"
#include "harness/sweep/fault.h"
#include "harness/sweep/persistence.h"
#include "harness/sweep/recorder.h"

namespace sweep {

// What worlds need besides the recording process's memory of the play.
struct Backstage {
  const scenario::Scenario* scenario = nullptr;  // with the expectations that hold whatever the fault
  const explore::Settings* settings = nullptr;
  const Recorder* recorder = nullptr;
  const std::vector<PersistenceModel>* models = nullptr;
  pod::World* world = nullptr;
  pod::Materials materials;
  std::string folder;  // of the recorded world
  std::string reference_final;
  Image upstream;  // the upstream repositories as they are at this moment
  NodeId upstream_root = 0;
  int results = -1;  // SOCK_SEQPACKET: one message a world
  int tokens = -1;   // write end of a pipe: one byte for each processor that is free
  double real_seconds_max = 60;
};

struct Job {
  std::size_t id = 0;
  int processor = 0;
  Fault fault;
  std::string keep_result;  // replays: a file for everything that was recorded, and the disks are kept
};

// Where in the recorded play a zygote waits.
struct Moment {
  int boot = 1;
  std::size_t fresh = 0;  // ops at the end of the log that the call which has just returned has made
};

// What a world tells.
struct WorldResult {
  std::size_t id = 0;
  oracle::Judgement judgement = oracle::Judgement::kSetupError;
  std::string reason;
  bool came_to_pass = true;  // a second kill may find no such point
  int points_after = 0;      // fault points of the boot that followed, where they were watched
  double seconds = 0;        // of processor time
  std::vector<std::string> not_covered;
};

std::string to_message(const WorldResult& result);
WorldResult result_from_message(const std::string& text);

class Zygotes {
 public:
  explicit Zygotes(const Backstage& backstage) : backstage_(backstage) {}
  // Called within the recorded play. Returns the zygote's number.
  std::size_t fork_here(const Moment& moment);
  void start(std::size_t zygote, const Job& job);
  std::size_t size() const { return controls_.size(); }
  void close_all() { controls_.clear(); }

 private:
  [[noreturn]] void wait_for_jobs(int control, const Moment& moment);

  const Backstage& backstage_;
  std::vector<base::UniqueFd> controls_;
};

// Moves this process, for good, to where a branch of the play can go on: namespaces, upstream repositories and services
// of its own. What is still to be said is how its disks are filled.
base::Result<pod::Branch> enter_branch(const Backstage& backstage);

// Plays the rest of the story in this process, which is given up for it.
WorldResult play_branch(const Backstage& backstage, const Job& job, const Moment& moment);

}  // namespace sweep
