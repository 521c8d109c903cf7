#include <fmt/format.h>

#include "launcher/base/glob.h"
#include "launcher/boot/boot.h"
#include "launcher/boot/ending/end_pod.h"
#include "launcher/commands/commands.h"
#include "launcher/commands/print_line.h"
#include "launcher/config/duration.h"
#include "launcher/pod/disks.h"

namespace commands {

// What would become of the pod.
static void say_about_the_end(const config::Config& config, const config::Environment& environment) {
  const auto account = boot::account_of(config, environment);
  const bool asked =
      config.on_complete == config::OnComplete::kStopPod || config.on_complete == config::OnComplete::kTerminatePod;
  if (account && config.hold_for != config::Seconds::max()) {
    print_line("  {:<16} pod {} can be stopped through RunPod's API; a hold does so after {}", "provider", account->pod,
               config::format_duration(config.hold_for.value_or(config::Seconds(1800))));
  } else if (account) {
    print_line("  {:<16} pod {} can be stopped through RunPod's API", "provider", account->pod);
  } else if (asked || config.hold_for) {
    print_line("warning: {}; the run would be held and the pod go on", account.error().message());
  }
  const auto bundle = provider::find_ca_bundle({.ca_bundle = config.ca_bundle});
  if (account && !bundle) print_line("warning: {}", bundle.error().message());
}

int check(const config::Invocation& invocation, const config::Environment& environment) {
  const config::Config& config = invocation.config;
  const pod::Disks disks = pod::Disks::read();
  const std::filesystem::path state = boot::state_folder(config, environment, disks);
  fmt::print("The configuration can be used.\n{}", base::sanitised(config::describe(config)));
  if (config.state.empty()) print_line("  {:<16} {} (by default)", "state", state.string());
  if (!disks.survives(state))
    print_line("warning: the state folder {} is lost with the pod here; mount a volume or give --state",
               state.string());
  for (const std::string& pattern : config.checkpoints) {
    const std::string folder = base::fixed_folder(pattern);
    if (!disks.survives_when_asked(folder)) print_line("warning: checkpoints in {} are lost with the pod here", folder);
  }
  say_about_the_end(config, environment);
  return 0;
}

}  // namespace commands
