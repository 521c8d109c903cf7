#pragma once

#include <cstdint>
#include <optional>
#include <regex>
#include <string>
#include <string_view>

namespace training {

// Finds the step that the training says it has reached, and remembers the highest.
class StepWatch {
 public:
  // The pattern has a group around the number; letters match in either case.
  explicit StepWatch(const std::string& pattern) : pattern_(pattern, std::regex::icase | std::regex::optimize) {}

  void see(std::string_view line);
  std::optional<std::int64_t> best() const { return best_; }

 private:
  std::regex pattern_;
  std::optional<std::int64_t> best_;
};

}  // namespace training
