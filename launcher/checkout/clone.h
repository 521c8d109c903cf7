// New repositories: a fresh clone, or a new .git around a work tree that lost its own. Both are built in staging,
// synced, and put in place by a rename.
#pragma once

#include <string>

#include "launcher/checkout/treatment/workshop.h"

namespace checkout {

// Clones to where the checkout belongs. What lies there is moved to quarantine first, and what of it the clone does
// not have is then carried back in.
base::Result<Upstream> clone_in_place(Workshop& workshop, std::string_view why);

// Builds a .git for the files that lie in the checkout: history from the remote, HEAD at the commit that fits the files
// best, everything that can be read of the old .git brought along. Nothing in the work tree is touched, but tracked
// files that are missing are written. False: these files are no work tree of this project.
base::Result<bool> adopt_work_tree(Workshop& workshop);

// Ends what a kill left half-way: a clone that was ready, files that were being carried back.
base::Result<void> finish_interrupted_replacement(Workshop& workshop);

}  // namespace checkout
