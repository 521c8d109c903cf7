#include "launcher/commands/find_run.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <cerrno>
#include <cstdio>

#include "base/unique_fd.h"
#include "launcher/boot/boot.h"
#include "launcher/boot/pointer.h"
#include "launcher/pod/disks.h"

namespace commands {

// The keeper holds a lock for as long as its launcher lives.
static bool is_active(const std::filesystem::path& folder) {
  base::UniqueFd lock(::open((folder / "lease.lock").c_str(), O_RDONLY | O_CLOEXEC));
  if (!lock.valid()) return false;
  return ::flock(lock.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

base::Result<FoundRun> find_run(const config::Config& config, const config::Environment& environment) {
  FoundRun found;
  const bool configured = !config.run.empty() || (!config.repo.empty() && !config.train.empty());
  const bool placed = !config.state.empty() || !config.checkout.empty();
  if (configured && placed) {
    found.run = config::run_id(config);
    found.folder = boot::state_folder(config, environment, pod::Disks::read()) / found.run;
  } else if (const auto pointer = boot::find_pointer()) {
    found.run = pointer->run;
    found.folder = pointer->folder;
  } else {
    return base::fail(base::invalid_input("no run is known in this container", "Name it with --state DIR --run NAME."));
  }
  found.active = is_active(found.folder);
  return found;
}

std::string state_of(const FoundRun& found, const ledger::Opened& ledger) {
  const policy::History& history = ledger.memory.history;
  if (history.finished) return "finished";
  if (history.hold) return "held";
  if (ledger.memory.boots == 0) return "new";
  if (!found.active) return "stopped";
  return history.attempt_open ? "training" : "bootstrapping";
}

int complain(const base::Error& error) {
  fmt::print(stderr, "podlaunch: {}\n", error.message());
  return 1;
}

}  // namespace commands
