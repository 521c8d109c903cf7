// What the user asked for, from flags, PODLAUNCH_* variables and a YAML file, under the same names everywhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace config {

using Seconds = std::chrono::seconds;

enum class OnEnd { kHold, kExit };
enum class OnComplete { kHold, kExit, kStopPod, kTerminatePod };
enum class Provider { kByEnvironment, kRunpod, kNone };
enum class UpdateMode { kAlways, kUntilCheckpoint, kOncePerRun, kNever };
enum class LocalChanges { kKeep, kSetAside };
enum class Transport { kLibgit2, kGit };

struct DoneWhen {
  enum class Kind { kExitCode, kFile, kLog };
  Kind kind = Kind::kExitCode;
  int exit_code = 0;
  std::string pattern;  // a glob for kFile, a regular expression for kLog

  bool operator==(const DoneWhen&) const = default;
};

struct Config {
  std::string repo;
  std::string ref;
  std::filesystem::path checkout;  // absolute
  std::vector<std::string> setup;
  std::vector<std::string> secrets;
  std::vector<std::string> optional_secrets;
  std::vector<std::string> checkpoints;  // globs, absolute
  std::string run;                       // empty: derived
  std::filesystem::path state;           // empty: found
  std::vector<DoneWhen> done_when;       // never empty: exit:0 by default
  std::optional<int> max_attempts;
  std::optional<Seconds> max_time;  // of training, over all attempts
  std::optional<Seconds> hold_for;  // Seconds::max(): for ever; not given: see boot/hold.cc
  OnComplete on_complete = OnComplete::kHold;
  std::optional<double> max_cost;  // in whatever unit the price has
  std::optional<double> price;     // of an hour of this pod
  OnEnd on_failure = OnEnd::kHold;
  UpdateMode update = UpdateMode::kAlways;
  LocalChanges local_changes = LocalChanges::kKeep;
  std::optional<int> gpus;             // only when the user said so
  std::optional<int> gpus_min;         // with fewer that work than `gpus`, but as many as this: train on those
  std::string gpu_probe;               // a command for sh, run for each GPU alone; empty: none
  bool torchrun = false;               // start the training through torchrun
  std::vector<std::string> alongside;  // companions, commands for sh; empty: the image's own; {"none"}: none
  std::string step_regex = R"(step[ =:]+(\d+))";
  std::optional<Seconds> stall_timeout;
  std::optional<Seconds> grace;
  std::vector<std::pair<std::string, std::string>> environment;
  Transport transport = Transport::kLibgit2;
  std::optional<int> depth;        // commits of history to fetch
  std::string git_token_variable;  // the variable with the token for the repository's host
  std::filesystem::path ssh_key;   // absolute, as the three below; empty: what the machine has
  std::filesystem::path ssh_known_hosts;
  std::filesystem::path netrc;
  std::filesystem::path ca_bundle;
  Seconds network_timeout{60};  // of silence, until a conversation with the remote is given up
  std::uint64_t quarantine_max = std::uint64_t{20} << 30U;  // bytes, rescue references included
  std::optional<Seconds> lease_time;  // silence after which a run's lease is dead; unset: only on shared disks, 2 min
  bool allow_restart_from_zero = false;
  Provider provider = Provider::kByEnvironment;
  std::string publish;              // run once the run is done, before the pod is stopped
  std::vector<std::string> notify;  // each a URL or a command
  std::vector<std::string> train;   // the command, word by word
};

enum class Command { kRun, kCheck, kStatus, kExplain, kResume, kLogs, kDoctor, kRepair, kHelp, kVersion };

// One call of the program, understood.
struct Invocation {
  Command command = Command::kRun;
  Config config;
  bool json = false;
  bool deep = false;
  bool full = false;
  bool follow = false;         // for logs
  std::optional<int> attempt;  // for logs
  std::string path;            // for doctor and repair; empty: the configured checkout
  std::string help;            // for kHelp
};

using Environment = std::map<std::string, std::string>;

// What is given wins over what follows: flags, PODLAUNCH_* variables, the file of --config. Form only, no disk is
// touched but for that file. Errors are kInvalidInput and name the flag, variable or file and line.
// `read_file` reads that file: it may lie on a disk that hangs.
using ReadFile = std::function<base::Result<std::string>(const std::string& path)>;
base::Result<Invocation> understand(const std::vector<std::string>& arguments, const Environment& environment,
                                    const ReadFile& read_file = {});

// The file that they name, by --config or PODLAUNCH_CONFIG; empty: none.
std::string file_of(const std::vector<std::string>& arguments, const Environment& environment);

// --on-failure, as far as flags and variables say it that cannot be understood as a whole.
OnEnd on_failure_of(const std::vector<std::string>& arguments, const Environment& environment);

// Does what is understood suffice for a run? Refuses what could do harm: a URL that carries a password, a ref that
// looks like an option, a checkout that is the root or home folder, missing or placeholder secrets.
base::Result<void> validate(const Config& config, const Environment& environment);

// The id that a run is known by: --run, or derived from repository, ref and training command.
std::string run_id(const Config& config);

// A notify target as it may be shown: of a URL the host alone.
std::string notify_name(const std::string& target);

std::string describe(const Config& config);  // for `check`: name and value, a line each; no secret's value

}  // namespace config
