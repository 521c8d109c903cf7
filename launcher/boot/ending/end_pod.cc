#include "launcher/boot/ending/end_pod.h"

#include "launcher/base/helper.h"
#include "launcher/boot/ending/evacuate.h"
#include "launcher/boot/keeper/say.h"

namespace boot {

using provider::Ending;

base::Result<provider::Account> account_of(const config::Config& config, const config::Environment& environment) {
  const auto choice = config.provider == config::Provider::kNone     ? provider::Choice::kNone
                      : config.provider == config::Provider::kRunpod ? provider::Choice::kRunpod
                                                                     : provider::Choice::kByEnvironment;
  return provider::find_account(choice, environment, config.ca_bundle);
}

// In the helper: the state's name, or '!' and what went wrong.
static std::string ask(const provider::Account& account, Ending ending) {
  const provider::Runpod runpod(account.pod, account.key, account.http);
  const auto state = provider::end_and_watch(runpod, ending);
  return state ? std::string(name(*state)) : "!" + state.error().message();
}

PodEndTry try_to_end_pod(Boot& boot, Ending ending, const std::string& why) {
  const auto account = account_of(boot.config, boot.environment);
  if (!account) return {PodEnd::kNotPossible, account.error().message()};
  const auto evacuated = evacuate(boot, ending);
  if (boot.waiter.stop_signal() != 0) return {PodEnd::kToldToStop, ""};
  if (!evacuated) return {PodEnd::kUnsafe, boot.redactor.redact(evacuated.error().message())};
  const std::string what = fmt::format("{} the pod: {}", name(ending), why);
  if (!boot.journal.note("end-pod", {.phase = "end", .text = what}))
    return {PodEnd::kFailed, "the ledger cannot be told why; without that a restart would not know"};
  boot.asked_for_the_end = true;
  say_phase("end", "asking the provider to {} pod {}: {}", name(ending), account->pod, why);
  // Six exchanges of twenty seconds, and a minute of watching, with room to spare.
  const auto answer = base::call_helper(boot.waiter, fmt::format("{} the pod", name(ending)), base::Seconds(300),
                                        [&] { return ask(*account, ending); });
  if (boot.waiter.stop_signal() != 0) return {PodEnd::kToldToStop, ""};
  if (!answer) return {PodEnd::kFailed, boot.redactor.redact(answer.error().message())};
  if (answer->starts_with("!")) return {PodEnd::kFailed, boot.redactor.redact(answer->substr(1))};
  say_phase("end", "the provider says that the pod is {}", *answer);
  return {PodEnd::kEnding, ""};
}

bool wait_for_own_end(Boot& boot) {
  // docker gives ten seconds; a busy host may need more until it begins.
  constexpr base::Seconds patience{180};
  const base::TimePoint until = base::Clock::now() + patience;
  while (boot.waiter.stop_signal() == 0 && base::Clock::now() < until) boot.waiter.wait({}, until);
  if (boot.waiter.stop_signal() != 0) return true;
  say_phase("end", "{} s later this pod still runs, whatever the provider says", patience.count());
  return false;
}

}  // namespace boot
