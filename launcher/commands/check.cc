#include <fmt/format.h>

#include "launcher/base/glob.h"
#include "launcher/boot/boot.h"
#include "launcher/commands/commands.h"
#include "launcher/pod/disks.h"

namespace commands {

int check(const config::Invocation& invocation, const config::Environment& environment) {
  const config::Config& config = invocation.config;
  const pod::Disks disks = pod::Disks::read();
  const std::filesystem::path state = boot::state_folder(config, environment, disks);
  fmt::print("The configuration can be used.\n{}", config::describe(config));
  if (config.state.empty()) fmt::print("  {:<16} {} (by default)\n", "state", state.string());
  if (!disks.survives(state))
    fmt::print("warning: the state folder {} is lost with the pod here; mount a volume or give --state\n",
               state.string());
  for (const std::string& pattern : config.checkpoints) {
    const std::string folder = base::fixed_folder(pattern);
    if (!disks.survives_when_asked(folder))
      fmt::print("warning: checkpoints in {} are lost with the pod here\n", folder);
  }
  return 0;
}

}  // namespace commands
