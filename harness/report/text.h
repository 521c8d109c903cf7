// Text from inside a pod is anybody's: bytes that are no UTF-8, escape sequences, bells. These make it fit to show.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace report {

// Valid UTF-8 without control characters (line feeds and tabs stay); whatever else there was becomes U+FFFD. The result
// is legal in XML 1.0 and cannot make a terminal do anything.
std::string sanitised(std::string_view text);

// How many columns of a terminal a valid UTF-8 text takes.
std::size_t columns(std::string_view text);

// The text on one line, cut off with "…" where it would take more than `width` columns.
std::string fitted(std::string_view text, std::size_t width);

// The text broken at spaces into lines of at most `width` columns. Words that are longer than that are cut.
std::vector<std::string> wrapped(std::string_view text, std::size_t width);

}  // namespace report
