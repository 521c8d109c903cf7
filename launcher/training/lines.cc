#include "launcher/training/lines.h"

#include <algorithm>

namespace training {

void Lines::feed(std::string_view bytes, const Take& take) {
  while (!bytes.empty()) {
    const std::size_t end = std::min(bytes.find_first_of("\r\n"), bytes.size());
    const std::size_t room = length_max - std::min(length_max, line_.size());
    line_.append(bytes.substr(0, std::min(end, room)));
    if (end == bytes.size()) return;
    if (!line_.empty()) take(line_);
    line_.clear();
    bytes.remove_prefix(end + 1);
  }
}

void Lines::finish(const Take& take) {
  if (!line_.empty()) take(line_);
  line_.clear();
}

}  // namespace training
