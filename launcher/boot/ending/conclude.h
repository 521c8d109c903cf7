#pragma once

#include "launcher/boot/ending/settle.h"

namespace boot {

// What is left to do once the run is done: publish, tell, and what --on-complete asks for. Each is tried again, for
// hours, and again after a restart; the training never is.
Next conclude(Boot& boot);

}  // namespace boot
