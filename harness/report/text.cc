#include "harness/report/text.h"

#include <cstdint>

namespace report {

namespace {

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
    const auto character = base::decode(text.substr(at));
    taken += width_of(character.code);
    if (taken > width) break;
    at += character.length;
  }
  return at;
}

}  // namespace

std::size_t columns(std::string_view text) {
  std::size_t taken = 0;
  while (!text.empty()) {
    const auto character = base::decode(text);
    taken += width_of(character.code);
    text.remove_prefix(character.length);
  }
  return taken;
}

std::string fitted(std::string_view text, std::size_t width) {
  const std::string line = base::on_one_line(text);
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
