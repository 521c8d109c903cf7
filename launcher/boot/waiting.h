#pragma once

#include <string>

#include "launcher/base/helper.h"

namespace boot {

// Says in the log that a helper is still at work on something, and since when: a disk may hang for hours.
base::StillWaiting say_still_at_work(std::string phase, std::string on_what);

}  // namespace boot
