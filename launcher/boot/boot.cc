#include "launcher/boot/boot.h"

#include <algorithm>

#include "launcher/boot/nodes.h"
#include "launcher/ledger/ledger.h"

namespace boot {

namespace fs = std::filesystem;

Boot::Boot(const config::Config& configuration, const config::Environment& variables, base::Waiter& wait)
    : config(configuration),
      environment(variables),
      waiter(wait),
      identity(pod::identify(variables)),
      disks(pod::Disks::read()),
      redactor(redactor_of(configuration, variables)),
      run(config::run_id(configuration)),
      state(state_folder(configuration, variables, disks)),
      folder(folder_of_node(state / run, variables)),
      journal(wait, limits_of(configuration)) {}

fs::path state_folder(const config::Config& config, const config::Environment& environment, const pod::Disks& disks) {
  if (!config.state.empty()) return config.state;
  if (const std::string volume = disks.volume(); !volume.empty()) return fs::path(volume) / ".podlaunch" / "runs";
  if (environment.contains("RUNPOD_VOLUME_ID") && disks.survives("/workspace")) return "/workspace/.podlaunch/runs";
  return config.checkout.parent_path() / ".podlaunch" / "runs";
}

policy::Limits limits_of(const config::Config& config) {
  policy::Limits limits;
  if (config.max_attempts) limits.attempts_max = static_cast<std::uint64_t>(*config.max_attempts);
  if (config.max_time) limits.seconds_max = static_cast<std::uint64_t>(config.max_time->count());
  if (config.max_cost && config.price) {
    limits.paid_seconds_max = static_cast<std::uint64_t>(std::max(1.0, *config.max_cost / *config.price * 3600));
  }
  if (config.on_failure == config::OnEnd::kExit) limits.on_failure = policy::OnFailure::kExit;
  return limits;
}

// Variables whose names say that they hold a secret, whether or not anybody listed them.
static bool sounds_secret(const std::string& name) {
  for (const char* end : {"_TOKEN", "_API_KEY", "_SECRET", "_PASSWORD", "_SECRET_ACCESS_KEY", "_SECRET_KEY"}) {
    if (name.ends_with(end)) return true;
  }
  return false;
}

base::Redactor redactor_of(const config::Config& config, const config::Environment& environment) {
  base::Redactor redactor;
  const auto add = [&](const std::string& name) {
    if (const auto found = environment.find(name); found != environment.end()) redactor.add(found->second);
  };
  for (const std::string& name : config.secrets) add(name);
  for (const std::string& name : config.optional_secrets) add(name);
  if (!config.git_token_variable.empty()) add(config.git_token_variable);
  for (const auto& [name, value] : environment) {
    if (sounds_secret(name) && value.size() >= 8) redactor.add(value);
  }
  return redactor;
}

std::uint64_t configuration_identity(const config::Config& config, const config::Environment& environment) {
  std::string all = config::describe(config);
  for (const auto& [name, value] : config.environment) all += name + "=" + value + "\n";
  for (const auto* names : {&config.secrets, &config.optional_secrets}) {
    for (const std::string& name : *names) {
      if (const auto found = environment.find(name); found != environment.end()) all += found->second + "\n";
    }
  }
  return ledger::fingerprint(all);
}

}  // namespace boot
