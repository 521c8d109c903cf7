#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

#include "launcher/base/time.h"

namespace boot {

// A line of our own on stderr: "podlaunch: …". Never blocks: what nobody reads is dropped.
void say_line(std::string_view text);

template <class... Arguments>
void say(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  say_line(fmt::format(format, std::forward<Arguments>(arguments)...));
}

// "podlaunch: phase checkout: …"
template <class... Arguments>
void say_phase(std::string_view phase, fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  say_line(fmt::format("phase {}: {}", phase, fmt::format(format, std::forward<Arguments>(arguments)...)));
}

// While nothing happens, a line that says so comes this often.
inline constexpr base::Seconds kHeartbeat{300};

}  // namespace boot
