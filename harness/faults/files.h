// Small things done to files, with errors that name them.
#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"

namespace faults {

base::Result<std::string> read_file(const std::filesystem::path& path);

// Replaces the content; a file that is there keeps its mode. Makes the folders above it.
base::Result<void> write_file(const std::filesystem::path& path, const std::string& content);

}  // namespace faults
