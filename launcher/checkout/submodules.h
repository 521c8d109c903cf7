#pragma once

#include "launcher/checkout/treatment/workshop.h"

namespace checkout {

// Submodules that have no files yet are cloned at the commit that HEAD names. One that has files is left alone. What
// cannot be brought in becomes a warning: training tells best whether it needs it.
void bring_in_submodules(Workshop& workshop);

}  // namespace checkout
