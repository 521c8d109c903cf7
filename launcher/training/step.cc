#include "launcher/training/step.h"

#include <algorithm>
#include <charconv>

namespace training {

void StepWatch::see(std::string_view line) {
  // Nearly all lines without a digit: not worth an engine.
  if (std::none_of(line.begin(), line.end(), [](char letter) { return letter >= '0' && letter <= '9'; })) return;
  std::match_results<std::string_view::const_iterator> match;
  if (!std::regex_search(line.begin(), line.end(), match, pattern_) || !match[1].matched) return;
  const std::string number = match[1].str();
  std::int64_t step = 0;
  const auto [end, code] = std::from_chars(number.data(), number.data() + number.size(), step);
  if (code != std::errc() || end != number.data() + number.size()) return;
  best_ = std::max(best_.value_or(step), step);
}

}  // namespace training
