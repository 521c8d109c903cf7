// A world: one scenario, played from its first boot to its end.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "harness/pod/record.h"
#include "harness/scenario/scenario.h"

namespace pod {

// What the timeline does to disks and to the upstream repository; given by whoever builds the world, as faults build on
// pods and not the other way round. Paths are the simulator's.
struct Hands {
  std::function<base::Result<void>(const std::string& checkout, const std::string& kind)> damage;
  std::function<base::Result<Precious>(const std::string& checkout, const scenario::UserEdit&)> edit;
  std::function<base::Result<void>(const scenario::UpstreamCommit&, Duration at)> commit_upstream;
};

// What a world is made of besides its scenario.
struct Materials {
  std::string folder;                              // on the world's tmpfs
  std::map<std::string, std::string> programs;     // path in the pod -> file to copy there
  std::map<std::string, std::string> files;        // path in the pod -> content
  std::map<std::string, std::string> environment;  // of the pod's first process
  std::vector<std::vector<std::string>> services;  // command lines, traced and on the world's clock
  std::vector<int> service_descriptors;            // kept open in them
  std::string answers_log;                         // a file to which services write what they answered
  std::string upstream_path;
  Hands hands;
  std::int64_t epoch_seconds = 1'767'225'600;  // 2026-01-01 00:00:00 UTC
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

 private:
  class Play;
  std::unique_ptr<Play> play_;
};

}  // namespace pod
