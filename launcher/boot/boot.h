// One start of the container: what all of its phases share.
#pragma once

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "launcher/base/redaction.h"
#include "launcher/base/time.h"
#include "launcher/base/waiter.h"
#include "launcher/boot/clock_watch.h"
#include "launcher/boot/companions/companions.h"
#include "launcher/boot/keeper/journal.h"
#include "launcher/boot/nodes.h"
#include "launcher/boot/notifier.h"
#include "launcher/config/config.h"
#include "launcher/pod/disks.h"
#include "launcher/pod/gpu_verdict.h"
#include "launcher/pod/identity.h"
#include "launcher/policy/policy.h"
#include "launcher/training/checkpoints/checkpoint.h"

namespace boot {

struct Boot {
  Boot(const config::Config& configuration, const config::Environment& variables, base::Waiter& wait);

  const config::Config& config;
  const config::Environment& environment;
  base::Waiter& waiter;
  pod::Identity identity;
  pod::Disks disks;
  base::Redactor redactor;
  std::string run;
  std::filesystem::path state;   // of all runs
  std::filesystem::path folder;  // of this run: <state>/<run>
  Journal journal;
  Companions companions;

  // How we were started, for whoever asks over SSH.
  std::vector<std::string> arguments;
  std::string started_in;

  // What one phase found for those after it.
  pod::NvidiaSmi nvidia_smi;
  std::optional<pod::GpuReport> gpus;
  pod::GpuVerdict gpu_verdict;
  std::set<std::string> gpus_seen;         // by their UUIDs
  std::set<std::string> gpu_troubles;      // that were written down in this boot
  bool look_around_after_failure = false;  // an attempt has failed since
  std::string commit;
  training::CheckpointSurvey checkpoints;
  bool set_newest_aside = false;
  std::string previous_host;    // where the boot before this one ran
  std::string dead_boot;        // the launcher whose lease was taken over
  bool unclean_before = false;  // and it wrote no end
  bool found_finished = false;  // the run was finished before this boot did anything

  Notifier notifier;
  bool asked_for_the_end = false;                      // the provider, of this pod
  base::TimePoint time_recorded = base::Clock::now();  // until then what was paid for is in the ledger
  ClockWatch clock_watch;
  Nodes nodes;
  int exit_status = 0;
  bool configured_anew = false;  // it ends here, and another one begins with the configuration as it is now

  // Children that live as long as the boot: no end of an attempt or step ends them.
  std::vector<pid_t> spared() const {
    std::vector<pid_t> processes = notifier.known_processes();
    processes.push_back(journal.keeper().process());
    if (companions.process() != 0) processes.push_back(companions.process());
    return processes;
  }
};

// Where runs are remembered: --state, else the platform's volume, else beside the checkout.
std::filesystem::path state_folder(const config::Config& config, const config::Environment& environment,
                                   const pod::Disks& disks);

policy::Limits limits_of(const config::Config& config);
base::Redactor redactor_of(const config::Config& config, const config::Environment& environment);

// A digest of everything that was configured; another one releases a hold.
std::uint64_t configuration_identity(const config::Config& config, const config::Environment& environment);

}  // namespace boot
