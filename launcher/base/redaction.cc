#include "launcher/base/redaction.h"

#include <algorithm>

namespace base {

static constexpr std::size_t kShortestSecret = 6;
static constexpr std::size_t kShortestBeginning = 8;

void Redactor::add(std::string value) {
  if (value.size() < kShortestSecret) return;
  secrets_.push_back(std::move(value));
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
  if (secrets_.empty()) return std::string(text);
  std::string clean;
  clean.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = secret_length_at(text.substr(i));
    if (length == 0) {
      clean += text[i++];
      continue;
    }
    clean += "[secret]";
    i += length;
  }
  return clean;
}

}  // namespace base
