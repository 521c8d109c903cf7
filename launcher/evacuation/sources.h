// What would be lost.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "launcher/evacuation/evacuation.h"

namespace evacuation {

struct Source {
  enum class Kind { kFile, kLink, kBytes, kBundle };
  Kind kind = Kind::kFile;
  std::filesystem::path name;  // relative, in the case
  std::filesystem::path from;  // of a bundle: the git folder
  std::string bytes;           // for kBytes: the content; for kBundle: what tells it from another one
};

struct AtRisk {
  std::vector<Source> sources;
  std::vector<std::string> kept;  // phrases, for people
};

using Goes = std::function<bool(const std::filesystem::path&)>;

base::Result<AtRisk> find_sources(const Request& request, const Goes& goes);

}  // namespace evacuation
