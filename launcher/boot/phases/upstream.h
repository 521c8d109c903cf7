#pragma once

#include <string>

#include "launcher/boot/boot.h"

namespace boot {

// The commit that the configured ref names upstream now; empty when that cannot be told cheaply: no git program, no
// network, a ref that is a commit.
std::string newest_upstream_commit(Boot& boot);

}  // namespace boot
