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

// Of a folder that cannot be looked into its own files say more.
static bool is_run(const fs::path& folder) {
  const auto there = [&folder](const char* file) {
    std::error_code code;
    return fs::symlink_status(folder / file, code).type() != fs::file_type::not_found;
  };
  return there("ledger.jsonl") || there("lease.lock") || there("logs");
}

namespace {

// What lies where runs are kept.
struct Runs {
  fs::path state;
  std::vector<std::string> names;
  std::error_code trouble;
};

}  // namespace

static Runs runs_in(const fs::path& state) {
  Runs runs{.state = state, .names = {}, .trouble = {}};
  for (fs::directory_iterator entry(state, runs.trouble), end; !runs.trouble && entry != end;
       entry.increment(runs.trouble)) {
    if (is_run(entry->path())) runs.names.push_back(entry->path().filename().string());
  }
  std::sort(runs.names.begin(), runs.names.end());
  return runs;
}

static std::string listed(const std::vector<std::string>& names) {
  constexpr std::size_t kListedMax = 20;
  if (names.size() <= kListedMax) return fmt::format("{}", fmt::join(names, ", "));
  return fmt::format("{} and {} more", fmt::join(names.begin(), names.begin() + kListedMax, ", "),
                     names.size() - kListedMax);
}

static std::string describe(const Runs& runs) {
  const std::string state = runs.state.string();
  if (runs.trouble == std::errc::no_such_file_or_directory) return fmt::format("there is no folder {}", state);
  if (runs.trouble) return fmt::format("{} cannot be looked into: {}", state, runs.trouble.message());
  if (runs.names.empty()) return fmt::format("there is no run in {}", state);
  return fmt::format("the runs in {} are {}", state, listed(runs.names));
}

std::string runs_beside(const fs::path& folder) {
  return is_run(folder) ? "" : describe(runs_in(folder.parent_path()));
}

// The only one there, or the only one that a launcher works on.
static Result<FoundRun> only_run_in(const fs::path& state) {
  const Runs runs = runs_in(state);
  if (runs.names.empty())
    return base::fail(base::invalid_input(describe(runs), "Name a run with --state DIR --run NAME."));
  std::vector<std::string> active;
  for (const std::string& run : runs.names) {
    if (is_active(state / run)) active.push_back(run);
  }
  const std::vector<std::string>& left = active.empty() ? runs.names : active;
  if (left.size() == 1) return FoundRun{left.front(), state / left.front()};
  return base::fail(base::invalid_input(fmt::format("there are several runs in {}: {}", state.string(), listed(left)),
                                        "Name one with --run."));
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

Result<FoundRun> run_meant(const config::Config& config, const config::Environment& environment) {
  auto found = find(config, environment);
  if (found) found->active = is_active(found->folder);
  return found;
}

// A run that only follows from a configuration may be new; a name that somebody gave is one that he has seen.
Result<FoundRun> find_run(const config::Config& config, const config::Environment& environment) {
  auto found = run_meant(config, environment);
  const std::string others = found && !config.run.empty() ? runs_beside(found->folder) : "";
  if (others.empty()) return found;
  return base::fail(base::invalid_input(fmt::format("run {} was not found: {}", found->run, others),
                                        "--run names one of them, --state the folder that they are kept in."));
}

std::optional<boot::Pointer> note_meant(const config::Config& config) {
  if (!config.repo.empty() || !config.train.empty() || !config.checkout.empty()) return std::nullopt;
  auto pointer = boot::find_pointer();
  if (!pointer) return std::nullopt;
  const fs::path folder = pointer->folder;
  if (!config.run.empty() && config.run != pointer->run) return std::nullopt;
  if (!config.state.empty() && config.state != folder.parent_path()) return std::nullopt;
  return pointer;
}

std::optional<boot::Pointer> launcher_meant(const config::Config& config) {
  auto pointer = note_meant(config);
  return pointer && !pointer->arguments.empty() ? pointer : std::nullopt;
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
  fmt::print(stderr, "podlaunch: {}\n", base::on_one_line(error.message()));
  return 1;
}

}  // namespace commands
