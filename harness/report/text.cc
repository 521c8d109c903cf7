#include "harness/report/text.h"

#include <algorithm>
#include <cstdint>

namespace report {

namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";  // U+FFFD

struct Character {
  std::uint32_t code = 0;
  std::size_t length = 1;  // bytes
  bool valid = false;
};

std::size_t expected_length(unsigned char first) {
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return 2;
  if (first >= 0xE0 && first <= 0xEF) return 3;
  if (first >= 0xF0 && first <= 0xF4) return 4;
  return 0;
}

Character decode(std::string_view text) {
  const auto first = static_cast<unsigned char>(text.front());
  const std::size_t length = expected_length(first);
  if (length == 0 || length > text.size()) return {};
  if (length == 1) return {first, 1, true};
  std::uint32_t code = first & (0x7FU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    const auto next = static_cast<unsigned char>(text[i]);
    if ((next & 0xC0U) != 0x80U) return {};
    code = (code << 6U) | (next & 0x3FU);
  }
  constexpr std::uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  if (code < least[length] || surrogate || code > 0x10FFFF) return {};
  return {code, length, true};
}

bool may_be_shown(std::uint32_t code) {
  if (code == '\n' || code == '\t') return true;
  const bool control = code < 0x20 || (code >= 0x7F && code < 0xA0);
  const bool not_a_character = (code & 0xFFFEU) == 0xFFFE;
  const bool turns_the_line = (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
  return !control && !not_a_character && !turns_the_line;
}

std::size_t width_of(std::uint32_t code) {
  const bool combining = (code >= 0x300 && code <= 0x36F) || code == 0xFE0F || code == 0x200D;
  const bool wide = code == 0x26A1 || (code >= 0x1100 && code <= 0x115F) || (code >= 0x2E80 && code <= 0xA4CF) ||
                    (code >= 0xAC00 && code <= 0xD7A3) || (code >= 0xFF00 && code <= 0xFF60) || code >= 0x1F300;
  if (combining) return 0;
  return wide ? 2 : 1;
}

// How many bytes from the start of the text take at most `width` columns.
std::size_t bytes_within(std::string_view text, std::size_t width) {
  std::size_t taken = 0;
  std::size_t at = 0;
  while (at < text.size()) {
    const auto character = decode(text.substr(at));
    taken += width_of(character.code);
    if (taken > width) break;
    at += character.length;
  }
  return at;
}

}  // namespace

std::string sanitised(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const auto character = decode(text);
    const bool fine = character.valid && may_be_shown(character.code);
    result += fine ? text.substr(0, character.length) : replacement;
    text.remove_prefix(character.length);
  }
  return result;
}

std::size_t columns(std::string_view text) {
  std::size_t taken = 0;
  while (!text.empty()) {
    const auto character = decode(text);
    taken += width_of(character.code);
    text.remove_prefix(character.length);
  }
  return taken;
}

std::string fitted(std::string_view text, std::size_t width) {
  std::string line = sanitised(text);
  std::replace_if(
      line.begin(), line.end(), [](char c) { return c == '\n' || c == '\t'; }, ' ');
  if (columns(line) <= width) return line;
  return line.substr(0, bytes_within(line, width - 1)) + "…";
}

std::vector<std::string> wrapped(std::string_view text, std::size_t width) {
  const std::string clean = fitted(text, std::string::npos);
  std::string_view rest = clean;
  std::vector<std::string> lines;
  while (columns(rest) > width) {
    const std::size_t fits = bytes_within(rest, width);
    const auto space = rest.rfind(' ', fits);
    const bool at_space = space != std::string_view::npos && space > 0;
    lines.emplace_back(rest.substr(0, at_space ? space : fits));
    rest.remove_prefix(at_space ? space + 1 : fits);
  }
  lines.emplace_back(rest);
  return lines;
}

}  // namespace report
