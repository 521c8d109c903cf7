#pragma once

#include "launcher/boot/ending/settle.h"

namespace boot {

// Stays alive, says why once and then that it still holds. Ends with `podlaunch resume`, when the obstacle is gone,
// when a new commit can mend it, or with a stop signal.
Next hold(Boot& boot, const policy::Hold& decision);

}  // namespace boot
