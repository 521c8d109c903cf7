// Reading the world's disks from outside, by the paths that the pod knows.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "harness/pod/record.h"

namespace oracle {

// Where a path of the pod lies on the host. Links are followed as the pod would follow them, never out of its disks.
// Nothing when no disk holds the path; the file itself need not exist.
std::optional<std::filesystem::path> host_path(const pod::WorldRecord& record, const std::string& pod_path);

// What a walk over the disks could not look at. Nobody may call something lost that might lie there.
struct WalkGaps {
  int unreadable_count = 0;
  std::string first;  // an example, for the verdict
};

// Calls `visit` for every regular file and every folder on the disks, in no promised order; links are not followed.
WalkGaps walk_disks(const pod::WorldRecord& record,
                    const std::function<void(const std::filesystem::directory_entry&)>& visit);

std::optional<std::string> read_file(const std::filesystem::path& path);

// Whether a path is `folder` itself or lies somewhere below it. Both absolute and normalised.
bool lies_within(const std::string& path, const std::string& folder);

}  // namespace oracle
