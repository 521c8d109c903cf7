#pragma once

#include <filesystem>
#include <string>

#include "launcher/training/checkpoints/checkpoint.h"

namespace training {

// For a file that begins as a zip archive: empty when it is whole, else what is wrong.
std::string torn_zip(const std::filesystem::path& file, const Closeness& closeness);

}  // namespace training
