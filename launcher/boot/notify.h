#pragma once

#include "launcher/boot/boot.h"
#include "launcher/policy/policy.h"

namespace boot {

Notification notification(const Boot& boot, Event event, const policy::Hold* hold = nullptr);

}  // namespace boot
