#include "launcher/provider/account.h"

#include <poll.h>

#include <algorithm>

namespace provider {

using base::ErrorCode;
using base::Result;

static base::Error cannot(ErrorCode code, std::string detail, std::string remedy) {
  return base::Error{.code = code,
                     .operation = "end this pod from here",
                     .path = {},
                     .system_errno = 0,
                     .detail = std::move(detail),
                     .remedy = std::move(remedy)};
}

// A pod's id goes into a path: letters, digits, and what cannot lead anywhere else.
static bool is_pod_id(const std::string& text) {
  return !text.empty() && text.size() <= 100 &&
         text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") ==
             std::string::npos;
}

Result<Account> find_account(Choice choice, const std::map<std::string, std::string>& environment,
                             const std::filesystem::path& ca_bundle) {
  const auto value = [&](const char* name) {
    const auto found = environment.find(name);
    return found == environment.end() ? std::string() : found->second;
  };
  if (choice == Choice::kNone) {
    return base::fail(cannot(ErrorCode::kUnsupported, "--provider none", "Stop the pod yourself when it is done."));
  }
  Account account{value("RUNPOD_POD_ID"), value("RUNPOD_API_KEY"), {.ca_bundle = ca_bundle}};
  if (account.pod.empty() && choice == Choice::kByEnvironment) {
    return base::fail(cannot(ErrorCode::kUnsupported, "this is no pod of a provider that podlaunch knows",
                             "Stop it yourself when it is done."));
  }
  if (!is_pod_id(account.pod)) {
    return base::fail(
        cannot(ErrorCode::kNotFound, "RUNPOD_POD_ID holds no pod's id", "Stop the pod in the provider's console."));
  }
  const bool usable = account.key.size() >= 8 && std::all_of(account.key.begin(), account.key.end(), [](char letter) {
                        return letter > 0x20 && letter < 0x7f;
                      });
  if (!usable) {
    return base::fail(cannot(ErrorCode::kAuthentication, "RUNPOD_API_KEY holds no key",
                             "Set it in the pod's template, or stop the pod in the provider's console."));
  }
  return account;
}

static bool is_over(PodState state, Ending ending) {
  return state == PodState::kGone || (state == PodState::kStopped && ending == Ending::kStop);
}

Result<PodState> end_and_watch(const Runpod& runpod, Ending ending, const Pace& pace) {
  if (const auto asked = runpod.end(ending); !asked) return base::fail(asked.error());
  const base::TimePoint until = base::Clock::now() + pace.poll_for;
  Result<PodState> state = runpod.state();
  while (!(state && is_over(*state, ending)) && base::Clock::now() < until) {
    (void)::poll(nullptr, 0, static_cast<int>(pace.poll_every.count()));  // another machine has no event to wait for
    state = runpod.state();
  }
  if (!state || is_over(*state, ending)) return state;
  return base::fail(cannot(ErrorCode::kTimedOut, "the provider accepted it, and the pod is still up",
                           "Stop the pod in the provider's console if this goes on."));
}

base::Seconds wait_after(int failures) {
  constexpr int longest_seconds = 600;
  const int doublings = std::clamp(failures - 1, 0, 6);
  return base::Seconds(std::min(15 << doublings, longest_seconds));
}

}  // namespace provider
