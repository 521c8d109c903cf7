// A scenario to start from, as text for a file.
#pragma once

#include <string>

namespace scenario {

// Around podlaunch, or around `shell`, a start command for bash, unless it is empty.
std::string sample(const std::string& shell);

}  // namespace scenario
