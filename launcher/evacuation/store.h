// Copies that can be relied on: written beside, synced, read back, compared, renamed.
#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"
#include "launcher/evacuation/sources.h"

namespace evacuation {

// From the content of everything at risk: the same content has the same name.
base::Result<std::string> case_name(const AtRisk& at_risk);

// `place / name` holds it all when this returns without an error; at once if it did before.
base::Result<void> store(const AtRisk& at_risk, const std::filesystem::path& place, const std::string& name);

}  // namespace evacuation
