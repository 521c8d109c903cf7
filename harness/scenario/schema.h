#pragma once

#include <string_view>

namespace scenario {

// The JSON Schema of scenarios (draft 7), the text of schema.json beside this file.
std::string_view schema();

}  // namespace scenario
