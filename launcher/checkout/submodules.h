#pragma once

#include "launcher/checkout/checkout.h"
#include "launcher/checkout/treatment/workshop.h"

namespace checkout {

// Brings each submodule up as a checkout of its own, at the commit that HEAD names: cloned when it has no files,
// repaired when it is damaged, moved when nothing local is in the way. What cannot be brought in becomes a warning:
// training tells best whether it needs it.
void bring_in_submodules(Workshop& workshop, const Request& request);

}  // namespace checkout
