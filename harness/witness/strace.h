// A boot watched by strace instead of the stage.
#pragma once

#include <cstddef>
#include <string>

#include "base/result.h"
#include "harness/pod/world/world.h"
#include "harness/witness/strace_log.h"

namespace witness {

// The path of strace. Errors: it is not installed.
base::Result<std::string> find_strace();

// Lets the boot go with strace attached to it and counts until it has ended by itself, or has printed `lines` lines and
// rests: then it is ended, and so are its services. `folder` takes strace's log. Errors: strace could not attach; the
// boot came to no rest within two minutes.
base::Result<Counts> watch(pod::UnstagedBoot boot, std::size_t lines, const std::string& strace,
                           const std::string& folder);

}  // namespace witness
