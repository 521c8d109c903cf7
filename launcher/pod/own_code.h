#pragma once

#include "launcher/pod/disks.h"

namespace pod {

// Whoever only watches from now on need not hold the code that only beginning needed. Pages of our program and
// libraries that are as they stand in their files are given back; those that are used again come from the page cache,
// one by one. Only of files on the container's own disk: from a volume that hangs, nothing might come back.
void give_back_own_code(const Disks& disks);

}  // namespace pod
