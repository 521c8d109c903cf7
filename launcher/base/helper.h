// Work on disks that may hang is done by a forked helper with a deadline, so that PID 1 never waits for a disk.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "launcher/base/waiter.h"

namespace base {

// How long there has been no answer, and whether the helper sits in the kernel, as who waits for a disk does.
using StillWaiting = std::function<void(Seconds so_far, bool in_kernel)>;

// Runs `work` in a forked copy of this process and returns what it returned. A helper that has no result by the
// deadline is killed; one that even SIGKILL does not end (it sits in a hung file system) is left behind.
// `still_waiting` is called after ten seconds, after a minute, and every five minutes from then on.
// Errors: kTimedOut; kBusy when a stop signal came first; kSystem when the helper died or could not be started.
Result<std::string> call_helper(Waiter& waiter, const std::string& operation, Seconds deadline,
                                const std::function<std::string()>& work, const StillWaiting& still_waiting = {});

// The same, after a stop signal: what must still be known before we leave. Keep the deadline short.
Result<std::string> call_last_helper(Waiter& waiter, const std::string& operation, Milliseconds deadline,
                                     const std::function<std::string()>& work);

}  // namespace base
