// A world: one scenario, played from its first boot to its end.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "harness/pod/disks.h"
#include "harness/pod/launch.h"
#include "harness/pod/record.h"
#include "harness/scenario/scenario.h"
#include "harness/stage/fault_point.h"

namespace pod {

// What the timeline does to disks and to the upstream repository; given by whoever builds the world, as faults build on
// pods and not the other way round. Paths are the simulator's.
struct Hands {
  std::function<base::Result<void>(const std::string& checkout, const std::string& kind)> damage;
  // Adds to the work what must not be lost from now on, and takes out of it what the user overwrites herself.
  std::function<base::Result<void>(const std::string& checkout, const scenario::UserEdit&, std::vector<Precious>& work)>
      edit;
  std::function<base::Result<void>(const scenario::UpstreamCommit&, Duration at)> commit_upstream;
  // `pattern` is the fault's path on this machine. Returns what was damaged.
  std::function<base::Result<std::string>(const std::string& pattern, const scenario::FileDamage&)> damage_file;
  // Which pieces of the record's work are on none of its disks at this moment.
  std::function<std::vector<bool>(const WorldRecord&)> missing_work;
};

// Something that a program of the pod wanted of the network, about to be answered.
struct NetworkUse {
  std::string service;
  scenario::NetworkWay way = scenario::NetworkWay::kRequest;
  std::string text;  // "GET /path"
  int number = 1;    // of this service and way, within the boot
};

// Who is told of the fault points of a play, and of everything else that moves its disks. At each of these moments
// nothing of the pod runs that is not in a call of its own, and the process may fork: the child can go on with the play
// on disks of its own by World::branch().
class PointWatcher {
 public:
  virtual ~PointWatcher() = default;
  // The disks stand as the boot will find them.
  virtual void boot_begins(int boot) = 0;
  // The timeline or the platform has changed the disks.
  virtual void disks_touched() = 0;
  virtual stage::Order changing(const stage::Change& change) = 0;
  virtual void changed(const stage::Change& change, long result) = 0;
  virtual void boot_ended(int boot) = 0;
  // Not a moment to fork at.
  virtual void asked(const NetworkUse&) {}
};

// What a world is made of besides its scenario.
struct Materials {
  std::string folder;                                            // on the world's tmpfs
  std::map<std::string, std::string> programs;                   // path in the pod -> file to copy there
  std::map<std::string, std::string> files;                      // path in the pod -> content
  std::map<std::string, std::string> environment;                // of the pod's first process
  std::vector<std::vector<std::string>> services;                // command lines, traced and on the world's clock
  std::vector<int> service_descriptors;                          // kept open in them
  std::vector<std::shared_ptr<base::UniqueFd>> service_sockets;  // which own those of them that listen
  std::string answers_log;                                       // a file to which services write what they answered
  std::map<std::string, int> service_ports;                      // where the services of scenarios are to be found
  std::map<std::string, std::string> network_rules;              // of those behind a proxy: the file that it reads
  std::string upstream_path;
  std::string provider_state;  // a file from which the provider learns of the pod and of its own faults; may be empty
  Hands hands;
  std::string image;               // a folder with what the pod's image has besides; empty: one within `folder`
  PointWatcher* points = nullptr;  // watches fault points where it is given; outlives the world
  std::int64_t epoch_seconds = 1'767'225'600;  // 2026-01-01 00:00:00 UTC
};

// How a forked process goes on with the play that it was forked off from.
struct Branch {
  Materials materials;                                   // of a world of its own; the scenario is the same
  std::function<base::Result<void>(const Disks&)> fill;  // puts the branch's disks, which are empty, into their state
  std::string fault;  // for the record; not empty: the running boot ends here, by SIGKILL. Empty: the boot begins.
  std::vector<scenario::NetworkFault> network;  // that begin now
  // The boot goes its own way, the world ends with it, and the mount table is the machine's: what else may trace this
  // boot can arrange nothing either.
  bool left_alone = false;
};

// A boot of a branch that no stage sees: on the machine's clock, its services at their work, its first process ready.
struct UnstagedBoot {
  Launched container;
  base::UniqueFd output;
  std::vector<pid_t> services;
};

class World {
 public:
  World(const scenario::Scenario& scenario, Materials materials);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // Plays the scenario. The calling process must be in the world's namespaces, alone in its thread. The disks named in
  // the record stay readable while this object lives.
  // Errors: the pod or a service could not be built, the start command could not be executed, the timeline could not
  // act.
  base::Result<WorldRecord> play();

  // For a forked child of a process within play(): goes on with it. What the parent's play goes on to do is not seen
  // here, and the other way round.
  base::Result<WorldRecord> branch(Branch branch);
  // Instead of branch(), at the beginning of a boot: the caller traces and ends it.
  base::Result<UnstagedBoot> launch_unstaged(Branch branch);
  const Disks& disks() const;
  // What distinguishes this moment from others of the play besides its disks: how far timeline and training have come.
  std::string moment() const;
  // Virtual time since the beginning.
  Duration now() const;
  // Plans a note in the record at this moment and calls `action`; for faults that end after a time.
  void note(const std::string& text, bool healed);
  void at(Duration when, std::function<void()> action);
  // Ends the running boot by SIGKILL to everything.
  void kill_boot(const std::string& why);

 private:
  class Play;
  std::unique_ptr<Play> play_;
};

}  // namespace pod
