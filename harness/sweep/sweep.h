// Sweeps of scenarios from the command line's side: progress, interruption, saved cases.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "harness/sweep/session.h"

namespace sweep {

struct Swept {
  std::string scenario;
  std::string file;
  std::string variant;
  Outcome outcome;
  std::vector<std::string> cases;  // files, one for each failure that was saved
};

// A case names the scenario it belongs to, and the fault.
struct Case {
  std::string file;
  std::string variant;
  Fault fault;
};
std::string to_json(const Case& one, const std::string& reason);
base::Result<Case> load_case(const std::string& path);

// Runs a session in a process of its own; ends early, with what was covered until then, when `interrupted` becomes
// true.
Outcome supervise(const scenario::Scenario& scenario, const explore::Settings& settings, const Options& options,
                  const Progress& progress, const volatile bool& interrupted);

// What people read.
std::string progress_line(const std::string& scenario, const Outcome& outcome);
std::string render(const Swept& swept, bool interrupted);
std::string to_junit(const std::vector<Swept>& all);
int exit_status(const std::vector<Swept>& all);

// The commands `simrun sweep` and `simrun replay`.
int sweep_command(const std::vector<std::string>& words, const explore::Settings& settings);
int replay_command(const std::vector<std::string>& words, const explore::Settings& settings);

}  // namespace sweep
