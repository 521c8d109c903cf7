#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"
#include "launcher/config/config.h"
#include "launcher/ledger/ledger.h"

namespace commands {

// A run on disk, found with or without arguments.
struct FoundRun {
  std::string run;
  std::filesystem::path folder;
  bool active = false;  // a launcher on this host works on it
};

// By --state and --run, by the configuration, or the one this container works on.
base::Result<FoundRun> find_run(const config::Config& config, const config::Environment& environment);

// What the run is doing, as a word: "training", "held", "finished", "bootstrapping", "stopped", "new".
std::string state_of(const FoundRun& found, const ledger::Opened& ledger);

int complain(const base::Error& error);  // on stderr; returns 1

}  // namespace commands
