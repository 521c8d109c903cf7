// Having the provider stop or terminate the pod that we run in. The order never changes: what would be lost is brought
// to a disk that stays, then the ledger says what is about to happen and why, then the provider is asked.
#pragma once

#include <string>

#include "launcher/boot/boot.h"
#include "launcher/provider/account.h"

namespace boot {

enum class PodEnd {
  kEnding,       // the provider says that it is over: our own end is a matter of seconds
  kNotPossible,  // no provider is known, or there is no key
  kUnsafe,       // it would delete what exists nowhere else
  kFailed,       // the provider refuses or cannot be reached
  kToldToStop,   // a stop signal came meanwhile
};

struct PodEndTry {
  PodEnd result = PodEnd::kFailed;
  std::string text;  // why not
};

// One try. Blocks for a few minutes at most, and a stop signal ends it.
PodEndTry try_to_end_pod(Boot& boot, provider::Ending ending, const std::string& why);

// Waits for our own end after kEnding, as long as one takes. False: we are still here, the provider did not mean it.
bool wait_for_own_end(Boot& boot);

// Whether there is a provider that could be asked; else the reason why not.
base::Result<provider::Account> account_of(const config::Config& config, const config::Environment& environment);

}  // namespace boot
