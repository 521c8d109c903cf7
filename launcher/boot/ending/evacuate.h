#pragma once

#include "launcher/boot/boot.h"
#include "launcher/provider/runpod.h"

namespace boot {

// Brings to a disk that stays what the ending would delete and what exists nowhere else; says what it kept. Errors mean
// that the pod must not be ended.
base::Result<void> evacuate(Boot& boot, provider::Ending ending);

}  // namespace boot
