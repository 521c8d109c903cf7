// Text from elsewhere is anybody's: bytes that are no UTF-8, escape sequences, bells. These make it fit to show.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace base {

// The first character of a text, which is not empty.
struct Character {
  std::uint32_t code = 0;
  std::size_t length = 1;  // bytes
  bool valid = false;
};

Character decode(std::string_view text);

// Valid UTF-8 without control characters (line feeds and tabs stay); whatever else there was becomes U+FFFD. The result
// is legal in XML 1.0 and cannot make a terminal do anything.
std::string sanitised(std::string_view text);

// The same with spaces for the ends of lines and for tabs.
std::string on_one_line(std::string_view text);

// "1 boot", "2 boots".
std::string counted(std::size_t count, std::string_view thing);

}  // namespace base
