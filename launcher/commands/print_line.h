#pragma once

#include <fmt/format.h>

#include <utility>

#include "base/text.h"

namespace commands {

// For a person. What is quoted in it is anybody's and stays text, on this line.
template <class... Arguments>
void print_line(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  fmt::print("{}\n", base::on_one_line(fmt::format(format, std::forward<Arguments>(arguments)...)));
}

}  // namespace commands
