// The configuration as it is now: the file of --config may be changed while a boot holds, and may lie on a disk that
// hangs.
#pragma once

#include <string>
#include <vector>

#include "launcher/base/waiter.h"
#include "launcher/config/config.h"

namespace boot {

// How often a held boot reads it again.
inline constexpr base::Seconds kReadConfigurationEvery{60};

// Reads the file by way of a helper.
base::Result<config::Invocation> read_configuration(const std::vector<std::string>& arguments,
                                                    const config::Environment& environment, base::Waiter& waiter);

// When to read it again; never where there is no file, since nothing else can change.
base::TimePoint when_to_read_again(const std::vector<std::string>& arguments, const config::Environment& environment);

}  // namespace boot
