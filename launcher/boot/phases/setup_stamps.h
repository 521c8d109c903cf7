// Setup steps and their stamps. A step is skipped when nothing it depends on has changed: its command and those of the
// steps before it, the manifests and lock files that pip, uv and conda read, and the interpreter. The stamp lies on the
// container's own disk, where the packages are: a recreated container has neither, and installs again.
#pragma once

#include <string>
#include <vector>

#include "launcher/config/config.h"

namespace boot {

// One for each step, in order. Reads the checkout: not for PID 1.
std::vector<std::string> setup_stamps(const config::Config& config, const config::Environment& environment);

bool is_stamped(const config::Config& config, std::size_t index, const std::string& stamp);
void write_stamp(const config::Config& config, std::size_t index, const std::string& stamp);

}  // namespace boot
