#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace base {

// At most `bytes_max` bytes from the start of a regular file.
Result<std::string> read_file(const std::string& path, std::size_t bytes_max = 16U << 20);

// The last `bytes_max` bytes of a regular file.
Result<std::string> read_file_end(const std::string& path, std::size_t bytes_max);

// Written beside, synced, renamed over: a reader sees the old content or the new one, also after a power cut.
Result<void> write_file_durably(const std::string& path, std::string_view content);

// Like mkdir -p.
Result<void> make_folders(const std::string& path);

// Writes everything to a blocking descriptor; false when it cannot.
bool write_all(int fd, std::string_view bytes);

}  // namespace base
