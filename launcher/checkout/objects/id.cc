#include "launcher/checkout/objects/id.h"

#include <algorithm>

namespace checkout {
namespace {

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string hex_of(const git_oid& id) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(GIT_OID_HEXSZ);
  for (const unsigned char byte : id.id) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::optional<git_oid> id_of(std::string_view hex) {
  if (hex.size() != GIT_OID_HEXSZ) return std::nullopt;
  git_oid id;
  for (std::size_t i = 0; i < GIT_OID_RAWSZ; ++i) {
    const int high = digit_of(hex[2 * i]);
    const int low = digit_of(hex[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    id.id[i] = static_cast<unsigned char>(high * 16 + low);
  }
  const bool zero = std::all_of(std::begin(id.id), std::end(id.id), [](unsigned char byte) { return byte == 0; });
  return zero ? std::nullopt : std::optional(id);
}

}  // namespace checkout
