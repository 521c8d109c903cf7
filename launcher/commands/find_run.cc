// Which run is meant. What is given decides alone: another launcher's run is never mixed into it. Without any, it is
// the run that this container's launcher left a note of, else the only one on the disk where runs are kept.
#include "launcher/commands/find_run.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "base/text.h"
#include "base/unique_fd.h"
#include "launcher/boot/boot.h"
#include "launcher/boot/pointer.h"
#include "launcher/pod/disks.h"

namespace commands {

namespace fs = std::filesystem;
using base::Result;

// The keeper holds a lock for as long as its launcher lives.
bool is_active(const fs::path& folder) {
  base::UniqueFd lock(::open((folder / "lease.lock").c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!lock.valid()) return false;
  return ::flock(lock.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

static std::vector<std::string> runs_in(const fs::path& state) {
  std::vector<std::string> runs;
  std::error_code code;
  for (fs::directory_iterator entry(state, code), end; !code && entry != end; entry.increment(code)) {
    std::error_code ignored;
    if (fs::exists(entry->path() / "ledger.jsonl", ignored)) runs.push_back(entry->path().filename().string());
  }
  std::sort(runs.begin(), runs.end());
  return runs;
}

// The only one there, or the only one that a launcher works on.
static Result<FoundRun> only_run_in(const fs::path& state) {
  const std::vector<std::string> runs = runs_in(state);
  if (runs.empty()) {
    return base::fail(base::invalid_input(fmt::format("there is no run in {}", state.string()),
                                          "Name it with --state DIR --run NAME."));
  }
  std::vector<std::string> active;
  for (const std::string& run : runs) {
    if (is_active(state / run)) active.push_back(run);
  }
  const std::vector<std::string>& left = active.empty() ? runs : active;
  if (left.size() == 1) return FoundRun{left.front(), state / left.front()};
  return base::fail(base::invalid_input(
      fmt::format("there are several runs in {}: {}", state.string(), fmt::join(left, ", ")), "Name one with --run."));
}

static Result<FoundRun> find(const config::Config& config, const config::Environment& environment) {
  const bool configured = !config.run.empty() || (!config.repo.empty() && !config.train.empty());
  const bool placed = !config.state.empty() || !config.checkout.empty();
  const fs::path usual = boot::state_folder(config, environment, pod::Disks::read());
  if (configured && placed) return FoundRun{config::run_id(config), usual / config::run_id(config)};
  if (placed) return only_run_in(usual);
  const auto pointer = boot::find_pointer();
  if (configured) {
    const fs::path state = pointer ? fs::path(pointer->folder).parent_path() : usual;
    return FoundRun{config::run_id(config), state / config::run_id(config)};
  }
  if (pointer) return FoundRun{pointer->run, pointer->folder};
  if (!usual.has_parent_path()) {
    return base::fail(base::invalid_input("no run is known in this container", "Name it with --state DIR --run NAME."));
  }
  return only_run_in(usual);
}

Result<FoundRun> find_run(const config::Config& config, const config::Environment& environment) {
  auto found = find(config, environment);
  if (found) found->active = is_active(found->folder);
  return found;
}

std::optional<boot::Pointer> launcher_meant(const config::Config& config) {
  if (!config.repo.empty() || !config.train.empty() || !config.checkout.empty()) return std::nullopt;
  auto pointer = boot::find_pointer();
  if (!pointer || pointer->arguments.empty()) return std::nullopt;
  const fs::path folder = pointer->folder;
  if (!config.run.empty() && config.run != pointer->run) return std::nullopt;
  if (!config.state.empty() && config.state != folder.parent_path()) return std::nullopt;
  return pointer;
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
  fmt::print(stderr, "podlaunch: {}\n", base::sanitised(error.message()));
  return 1;
}

}  // namespace commands
