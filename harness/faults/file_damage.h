// Damage to one file, as power cuts, full disks and people leave it.
#pragma once

#include <string>

#include "base/result.h"
#include "harness/scenario/scenario.h"

namespace faults {

// `pattern` is a path of this machine that may have * ? [] in its parts. Returns the path that was damaged. Errors:
// kNotFound when nothing matches; what the system says.
base::Result<std::string> damage_file(const std::string& pattern, const scenario::FileDamage& damage);

}  // namespace faults
