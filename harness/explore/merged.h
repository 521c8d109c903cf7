// What the reports of parts come to when they are joined.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace explore {

struct Merged {
  std::string json;
  std::string junit;    // empty for searches
  std::string summary;  // for people
  int exit_status = 0;
};

using NamedReports = std::vector<std::pair<std::string, std::string>>;  // name and content of each
using Merger = std::function<base::Result<Merged>(const NamedReports& reports)>;

}  // namespace explore
