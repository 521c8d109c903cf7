#include "launcher/base/redaction.h"

#include <algorithm>

namespace base {

static constexpr std::size_t kShortestSecret = 6;
static constexpr std::size_t kShortestBeginning = 8;

void Redactor::add(std::string_view value) {
  while (!value.empty()) {
    std::string_view line = value.substr(0, value.find_first_of("\r\n"));
    value.remove_prefix(std::min(line.size() + 1, value.size()));
    // What a line is indented with is no secret, and would blank every other indented line.
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    if (line.size() >= kShortestSecret) secrets_.emplace_back(line);
  }
}

std::size_t Redactor::secret_length_at(std::string_view text) const {
  std::size_t longest = 0;
  for (const std::string& secret : secrets_) {
    const auto differs = std::mismatch(secret.begin(), secret.end(), text.begin(), text.end()).first;
    const auto common = static_cast<std::size_t>(differs - secret.begin());
    if (common >= std::min(kShortestBeginning, secret.size())) longest = std::max(longest, common);
  }
  return longest;
}

std::string Redactor::redact(std::string_view text) const {
  std::string rest(text);
  return take(rest, 0);
}

std::string Redactor::take(std::string& text, std::size_t kept) const {
  const std::string_view all = text;
  const std::size_t end = all.size() - std::min(all.size(), kept);
  std::string clean;
  clean.reserve(end);
  std::size_t at = secrets_.empty() ? end : 0;
  clean += all.substr(0, at);
  while (at < end) {
    const std::size_t length = secret_length_at(all.substr(at));
    if (length == 0) {
      clean += all[at++];
    } else {
      clean += "[secret]";
      at += length;
    }
  }
  text.erase(0, at);
  return clean;
}

}  // namespace base
