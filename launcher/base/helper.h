// Work on disks that may hang is done by a forked helper with a deadline, so that PID 1 never waits for a disk.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "launcher/base/waiter.h"

namespace base {

// Runs `work` in a forked copy of this process and returns what it returned. A helper that has no result by the
// deadline is killed; one that even SIGKILL does not end (it sits in a hung file system) is left behind.
// Errors: kTimedOut; kBusy when a stop signal came first; kSystem when the helper died or could not be started.
Result<std::string> call_helper(Waiter& waiter, const std::string& operation, Seconds deadline,
                                const std::function<std::string()>& work);

// The same, after a stop signal: what must still be known before we leave. Keep the deadline short.
Result<std::string> call_last_helper(Waiter& waiter, const std::string& operation, Milliseconds deadline,
                                     const std::function<std::string()>& work);

}  // namespace base
