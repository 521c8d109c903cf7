#pragma once

#include <filesystem>

#include "base/result.h"
#include "base/unique_fd.h"

namespace boot {

// Exclusive, beside the checkout, for as long as it is changed; the kernel drops it with its holder, however that ends.
// Waits up to 20 minutes. Errors: kBusy; those of opening a file. Not for PID 1: its disk may hang.
base::Result<base::UniqueFd> lock_checkout(const std::filesystem::path& checkout);

}  // namespace boot
