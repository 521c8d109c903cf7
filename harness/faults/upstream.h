// The upstream repository of a world: bare, made by git from a fixture, with the same commit ids each time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/result.h"

namespace faults {

// A new bare repository with one commit on `branch` that holds the files of `fixture`. Errors: the fixture cannot be
// read, or what git says.
base::Result<void> make_upstream(const std::filesystem::path& bare, const std::filesystem::path& fixture,
                                 const std::string& branch, std::int64_t epoch_seconds);

// One more commit. An empty path stands for upstream.txt with the commit's number in it.
base::Result<void> upstream_commit(const std::filesystem::path& bare, const std::string& branch,
                                   const std::string& path, const std::string& content, std::int64_t when_seconds);

}  // namespace faults
