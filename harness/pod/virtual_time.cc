#include "harness/pod/virtual_time.h"

#include <fmt/format.h>

namespace pod {

std::string clock_text(scenario::Duration time) {
  const auto tenths = (time.count() + 50'000'000) / 100'000'000;
  const auto seconds = tenths / 10;
  std::string text = fmt::format("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
  if (tenths % 10 != 0) text += fmt::format(".{}", tenths % 10);
  return text;
}

}  // namespace pod
