#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace config {

// Splits a command line into words as a shell would, with '…', "…" and \, but expands nothing.
base::Result<std::vector<std::string>> split_words(std::string_view line);

}  // namespace config
