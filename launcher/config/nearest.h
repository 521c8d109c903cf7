#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace config {

// The candidate with the fewest letters to change, if that is a likely slip; otherwise empty.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace config
