// podlaunch: the start command of a training container. A boot, phase by phase.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "launcher/base/own_name.h"
#include "launcher/base/process.h"
#include "launcher/boot/boot.h"
#include "launcher/boot/configuration_file.h"
#include "launcher/boot/ending/configuration_hold.h"
#include "launcher/boot/ending/settle.h"
#include "launcher/boot/keeper/say.h"
#include "launcher/boot/phases/phases.h"
#include "launcher/commands/commands.h"
#include "launcher/commands/find_run.h"
#include "launcher/config/config.h"
#include "launcher/pod/identity.h"

namespace {

struct Phase {
  policy::Decision (*act)(boot::Boot&);
  std::size_t again_from;  // the phase that a retry of this one begins with
};

// In this order; each begins where the one before has left the pod.
constexpr std::array<Phase, 5> kPhases = {{
    {boot::check_gpus, 0},         // the GPUs that were asked for are there
    {boot::bring_up_checkout, 1},  // the checkout is sound and as new as it may be
    {boot::set_up, 2},             // the project is installed
    {boot::check_checkpoints, 3},  // what training resumes from is whole
    {boot::train, 3},              // one attempt has run and ended
}};

// Runs the phases until the policy says that this boot is over.
void run_phases(boot::Boot& boot) {
  for (std::size_t index = 0;;) {
    boot.companions.tend(boot.waiter);
    switch (boot::settle(boot, kPhases[index].act(boot))) {
      case boot::Next::kGoOn:
        index = std::min(index + 1, kPhases.size() - 1);
        break;
      case boot::Next::kAgain:
        index = kPhases[index].again_from;
        break;
      case boot::Next::kStartOver:
        index = 0;
        break;
      case boot::Next::kEnd:
        return;
    }
  }
}

// What outlasts a boot that begins anew with another configuration: whoever came in to change it is not thrown out.
struct Lasting {
  base::Waiter& waiter;
  boot::Companions companions;
  bool companions_began = false;

  boot::Companions& begin_companions(const config::Config& config, bool first_process) {
    if (!std::exchange(companions_began, true)) companions.begin(config, first_process, waiter);
    return companions;
  }
};

// Nothing: the configuration was changed, and all begins anew with it.
using Ended = std::optional<int>;

Ended run(const config::Invocation& invocation, const std::vector<std::string>& words,
          const config::Environment& environment, Lasting& lasting) {
  base::Waiter& waiter = lasting.waiter;
  if (environment.contains(boot::kCompanionVariable)) {
    boot::say("this is a companion of a podlaunch that runs already; `podlaunch status` shows it");
    return 2;
  }
  boot::Boot boot(invocation.config, environment, waiter);
  boot.arguments = words;
  std::error_code code;
  boot.started_in = std::filesystem::current_path(code).string();
  base::adopt_orphans();
  // Somebody can come in from here on, whatever becomes of the run.
  boot.companions = std::move(lasting.begin_companions(boot.config, boot.identity.first_process));
  // From here on the run is ours alone, and what it did before is known.
  const bool opened = boot::settle(boot, boot::open_run(boot)) != boot::Next::kEnd;
  // The boot is written ahead: whatever happens now, the next one knows of it.
  if (opened && boot::settle(boot, boot::begin_boot(boot)) != boot::Next::kEnd) run_phases(boot);
  if (opened) {
    (void)boot.notifier.finish(waiter, base::Milliseconds(0));
    boot.journal.keeper().close(waiter, base::Seconds(2));
  }
  lasting.companions = std::move(boot.companions);
  if (boot.configured_anew && waiter.stop_signal() == 0) return std::nullopt;
  lasting.companions.close(waiter, base::Seconds(1));
  return boot.configured_anew ? 128 + waiter.stop_signal() : boot.exit_status;
}

// A configuration that cannot be used. Where our exit would make the platform start us again, at once and for ever, the
// reason is kept on show instead.
Ended refuse(const base::Error& error, const config::Invocation& invocation, const std::vector<std::string>& words,
             const config::Environment& environment, Lasting& lasting) {
  boot::say("{}", error.message());
  const bool first_process = pod::identify({}).first_process;
  const bool exits = invocation.config.on_failure == config::OnEnd::kExit;
  if (invocation.command != config::Command::kRun || !first_process || exits) return 2;
  const bool has_file = !config::file_of(words, environment).empty();
  boot::say("hold: the configuration cannot be used; staying alive instead of being restarted. Change it{}.",
            has_file ? ": the file is read again every minute. For variables and flags, restart the pod"
                     : " and restart the pod");
  boot::Companions& companions = lasting.begin_companions(invocation.config, first_process);
  const Ended status = boot::hold_configuration(invocation.config, words, environment, lasting.waiter, error);
  if (!status) {
    boot::say("hold: the configuration can be used now");
  } else {
    companions.close(lasting.waiter, base::Seconds(1));
  }
  return status;
}

// `check` and `explain` over SSH, without a word about which run: what this container's launcher was started with.
std::optional<config::Invocation> as_started(const config::Invocation& asked, config::Environment& environment) {
  const bool asks = asked.command == config::Command::kCheck || asked.command == config::Command::kExplain;
  const auto launcher = asks ? commands::launcher_meant(asked.config) : std::nullopt;
  if (!launcher) return std::nullopt;
  std::error_code code;
  std::filesystem::current_path(launcher->started_in, code);  // for a --config that is named from there
  std::vector<std::string> words = launcher->arguments;
  if (!words.empty() && !words.front().starts_with("-")) words.erase(words.begin());
  words.insert(words.begin(), "run");
  const config::Environment theirs = boot::environment_of(*launcher, environment);
  auto started = config::understand(words, theirs);
  if (!started) return std::nullopt;
  environment = theirs;
  started->command = asked.command;
  started->json = asked.json;
  return *started;
}

Ended dispatch(const config::Invocation& invocation, const std::vector<std::string>& words,
               const config::Environment& environment, Lasting& lasting) {
  using config::Command;
  // Only a boot forwards signals; everything else is ended by them, as usual. What asks nvidia-smi waits as a boot
  // does.
  const bool waits = invocation.command == Command::kRun || invocation.command == Command::kExplain;
  if (!waits) base::Waiter::restore_signals();
  switch (invocation.command) {
    case Command::kHelp:
      return std::fputs(invocation.help.c_str(), stdout), 0;
    case Command::kVersion:
      return std::puts("podlaunch 0.1.0"), 0;
    case Command::kStatus:
      return commands::status(invocation, environment);
    case Command::kLogs:
      return commands::logs(invocation, environment);
    case Command::kResume:
      return commands::resume(invocation, environment);
    case Command::kDoctor:
      return commands::doctor(invocation);
    case Command::kRepair:
      return commands::repair(invocation, environment);
    case Command::kRun:
    case Command::kCheck:
    case Command::kExplain:
      break;
  }
  if (config::Environment theirs = environment; const auto started = as_started(invocation, theirs)) {
    if (invocation.command == Command::kCheck) return commands::check(*started, theirs);
    return commands::explain(*started, theirs, lasting.waiter);
  }
  if (const auto valid = config::validate(invocation.config, environment); !valid)
    return refuse(valid.error(), invocation, words, environment, lasting);
  if (invocation.command == Command::kCheck) return commands::check(invocation, environment);
  if (invocation.command == Command::kExplain) return commands::explain(invocation, environment, lasting.waiter);
  return run(invocation, words, environment, lasting);
}

}  // namespace

int main(int count, char** arguments) {
  auto waiter = base::Waiter::open();
  if (!waiter) return boot::say("{}", waiter.error().message()), 1;
  const config::Environment environment = pod::own_environment();
  const std::vector<std::string> words(arguments + std::min(count, 1), arguments + count);
  base::hide_command_line(count, arguments);
  for (Lasting lasting{.waiter = *waiter, .companions = {}};;) {
    const auto invocation = boot::read_configuration(words, environment, *waiter);
    config::Invocation unclear;
    const bool boots = words.empty() || words[0].starts_with("-") || words[0] == "run";
    if (!boots) unclear.command = config::Command::kCheck;
    unclear.config.on_failure = config::on_failure_of(words, environment);
    const Ended ended = invocation ? dispatch(*invocation, words, environment, lasting)
                                   : refuse(invocation.error(), unclear, words, environment, lasting);
    if (ended) return *ended;
  }
}
