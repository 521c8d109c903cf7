// Text for terminals of a given width.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"

namespace report {

using base::sanitised;

// How many columns of a terminal a valid UTF-8 text takes.
std::size_t columns(std::string_view text);

// The text on one line, cut off with "…" where it would take more than `width` columns.
std::string fitted(std::string_view text, std::size_t width);

// The text broken at spaces into lines of at most `width` columns. Words that are longer than that are cut.
std::vector<std::string> wrapped(std::string_view text, std::size_t width);

}  // namespace report
