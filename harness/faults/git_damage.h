// Damage to a checkout's git folder, as interruptions are known to leave it. The names are scenario::damage_names().
#pragma once

#include <string>

#include "base/result.h"

namespace faults {

// `checkout` is a path of this machine. Errors: kNotFound when there is nothing to damage, kInvalidInput for an unknown
// kind, else what the file system says.
base::Result<void> apply_damage(const std::string& checkout, const std::string& kind);

}  // namespace faults
