// Who can end this pod, and whether we may ask; and one whole try to have it ended.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "base/result.h"
#include "launcher/base/time.h"
#include "launcher/provider/runpod.h"

namespace provider {

struct Account {
  std::string pod;
  std::string key;
  HttpSettings http;
};

enum class Choice { kByEnvironment, kRunpod, kNone };

// The account that this pod's environment gives. Errors, all of them with a sentence to print: kUnsupported where no
// provider is known or wanted, kNotFound without a pod id, kAuthentication without a usable key.
base::Result<Account> find_account(Choice choice, const std::map<std::string, std::string>& environment,
                                   const std::filesystem::path& ca_bundle);

struct Pace {
  base::Milliseconds poll_every{5000};
  base::Milliseconds poll_for{60'000};
};

// Asks for the ending, then watches the pod's state until it is what was asked for. Blocks for `poll_for` and a few
// exchanges; for a helper process. Errors: those of Runpod; kTimedOut when the provider accepted, and the pod stays up.
base::Result<PodState> end_and_watch(const Runpod& runpod, Ending ending, const Pace& pace = {});

// How long after the `failures`-th failed try in a row the next one comes: doubling, up to ten minutes.
base::Seconds wait_after(int failures);

}  // namespace provider
