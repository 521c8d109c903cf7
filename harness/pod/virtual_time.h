#pragma once

#include <string>

#include "harness/scenario/scenario.h"

namespace pod {

// "0:01:30", with tenths where they matter: "0:00:16.8".
std::string clock_text(scenario::Duration time);

}  // namespace pod
