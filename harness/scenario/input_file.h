// Files that somebody names on the command line: scenarios, cases, reports.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace scenario {

inline constexpr std::size_t kScenarioBytesMax = std::size_t{1} << 20;
inline constexpr std::size_t kCaseBytesMax = std::size_t{16} << 20;
inline constexpr std::size_t kReportBytesMax = std::size_t{512} << 20;

// The whole text of a regular file; `what` it is to be ("scenario") is for messages. Never waits, as a pipe or a device
// could make one. Errors: kInvalidInput for what is no regular file, is larger than `bytes_max` or holds a zero byte;
// else what opening and reading say.
base::Result<std::string> read_input(const std::string& path, std::string_view what, std::size_t bytes_max);

}  // namespace scenario
