// Lengths of time and sizes, as people write them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "harness/scenario/scenario.h"

namespace scenario {

// "90s", "1.5h", "2min", "1d", "500ms"; a plain number counts seconds. Nothing when it is none of these, is negative,
// or exceeds a hundred years.
std::optional<Duration> parse_duration(std::string_view text);

// "20GiB", "512MiB", "4KiB", "1TiB", "15GB"; a plain number counts bytes. Nothing when it is none of these.
std::optional<std::uint64_t> parse_size(std::string_view text);

}  // namespace scenario
