#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/result.h"
#include "launcher/boot/pointer.h"
#include "launcher/config/config.h"
#include "launcher/ledger/ledger.h"

namespace commands {

// A run on disk, found with or without arguments.
struct FoundRun {
  std::string run;
  std::filesystem::path folder;
  bool active = false;  // a launcher on this host works on it
};

// By --state and --run, by the configuration, or the one this container works on. It need not have begun.
base::Result<FoundRun> run_meant(const config::Config& config, const config::Environment& environment);

// The same, and a run that was named is there.
base::Result<FoundRun> find_run(const config::Config& config, const config::Environment& environment);

// The runs that are kept where this one would be, as a sentence; empty when it is there itself.
std::string runs_beside(const std::filesystem::path& folder);

// The note of this container's launcher. Nothing when the configuration says something itself, or names another run.
std::optional<boot::Pointer> note_meant(const config::Config& config);

// The same, when it tells the launcher's configuration, too.
std::optional<boot::Pointer> launcher_meant(const config::Config& config);

// What the run is doing, as a word: "training", "held", "finished", "bootstrapping", "stopped", "new".
std::string state_of(const FoundRun& found, const ledger::Opened& ledger);

bool is_active(const std::filesystem::path& folder);  // the run's: a launcher on this host works on it

int complain(const base::Error& error);  // on stderr; returns 1

}  // namespace commands
