#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace config {

// "500MB", "20GiB", "1.5T"; a plain number counts bytes. KB is 1000 bytes and KiB 1024; a letter alone is the latter.
base::Result<std::uint64_t> parse_size(std::string_view text);

// As the largest binary unit that is exact: "20 GiB", "1500 bytes".
std::string format_size(std::uint64_t bytes);

}  // namespace config
