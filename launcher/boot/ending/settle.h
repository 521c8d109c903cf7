// Carries decisions out: waits before a retry, holds, concludes.
#pragma once

#include "launcher/boot/boot.h"
#include "launcher/policy/policy.h"

namespace boot {

enum class Next {
  kGoOn,       // to the next phase
  kAgain,      // the same phase once more
  kStartOver,  // from the first phase: a hold was released
  kEnd,        // the launcher leaves with boot.exit_status
};

Next settle(Boot& boot, const policy::Decision& decision);

// Waits for a stop signal with a line now and then, for what no phase can mend. Returns the exit status, 128+N.
int stay(base::Waiter& waiter, const std::string& line);

}  // namespace boot
