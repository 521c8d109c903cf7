#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "launcher/base/waiter.h"
#include "launcher/config/config.h"

namespace boot {

// Stays alive for a configuration that was read and cannot be used, tells whoever wants to know, and has the pod
// stopped in the end, as a hold of a run does it. Returns the exit status, 128+N, once a stop signal has come; nothing
// once the file of --config has been mended.
std::optional<int> hold_configuration(const config::Config& config, const std::vector<std::string>& arguments,
                                      const config::Environment& environment, base::Waiter& waiter,
                                      const base::Error& error);

}  // namespace boot
