// Loose objects: one file each.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "launcher/checkout/objects/object.h"

namespace checkout {

struct LooseFile {
  std::filesystem::path path;
  std::optional<git_oid> id;  // nullopt: not an object's name (tmp_obj_…)
};
// Everything in objects/00 … objects/ff, folders included.
std::vector<LooseFile> loose_files(const std::filesystem::path& git_folder);

// Inflates the file and compares the hash of its contents with its name.
bool loose_object_is_sound(const std::filesystem::path& path, const git_oid& id);

// nullopt unless the whole file is sound.
std::optional<ObjectData> read_loose_object(const std::filesystem::path& path, const git_oid& id);

}  // namespace checkout
