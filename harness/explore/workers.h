// Scenarios side by side, each in a process of its own: a world needs namespaces, a processor and an end of its own.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "harness/oracle/result.h"
#include "harness/scenario/scenario.h"

namespace explore {

struct Settings {
  std::string fixtures;   // folder with the repositories and programs that worlds are made of
  std::string podlaunch;  // the binary that lies in the pod's path; empty where there is none
  std::string simrun;     // this program, to start services from
  std::int64_t epoch_seconds = 1'767'225'600;
  bool network_may_fail = false;  // also where no timeline says so: services have names, and proxies in front of them
  bool podlaunch_given = false;   // --podlaunch: replay lines repeat it
  std::string status_of_run;  // ask that podlaunch what it remembers of this run, for ScenarioResult::launcher_status
  bool keep = false;          // keep the folder of every world, not only of those that failed
  bool keep_failures = true;
  double real_seconds_max = 300;  // a world that takes longer is ended: a setup error
};

// Nothing can be played without them. Errors: kNotFound.
base::Result<void> fixtures_are_there(const Settings& settings);

// Plays one scenario and judges it, in this process, which is given up for it: it moves into the world's namespaces.
oracle::ScenarioResult play_here(const scenario::Scenario& scenario, const Settings& settings);

// Plays them all, at most `workers` at a time, one processor each. `report` is told of each as it ends. Results come in
// the order of the scenarios.
std::vector<oracle::ScenarioResult> play_all(const std::vector<scenario::Scenario>& scenarios, const Settings& settings,
                                             int workers,
                                             const std::function<void(const oracle::ScenarioResult&)>& report);

oracle::ScenarioResult setup_error(const scenario::Scenario& scenario, const std::string& reason);

}  // namespace explore
