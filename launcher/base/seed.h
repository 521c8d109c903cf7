#pragma once

#include <cstdint>

namespace base {

// Different for every launcher, so that many pods do not come back in step. Asked of the kernel and not of the
// processor: what a program cannot be told from outside, no simulator can play again.
std::uint64_t seed_from_kernel();

}  // namespace base
