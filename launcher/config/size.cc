#include "launcher/config/size.h"

#include <fmt/format.h>

#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <optional>

namespace config {

static constexpr std::string_view kLetters = "kmgt";

static std::optional<double> bytes_in(std::string unit) {
  for (char& letter : unit) letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  if (unit.empty() || unit == "b" || unit == "bytes") return 1;
  const std::size_t power = kLetters.find(unit.front());
  if (power == std::string_view::npos) return std::nullopt;
  const std::string rest = unit.substr(1);
  if (rest == "b") return std::pow(1000.0, static_cast<double>(power + 1));
  if (rest.empty() || rest == "ib") return std::pow(1024.0, static_cast<double>(power + 1));
  return std::nullopt;
}

base::Result<std::uint64_t> parse_size(std::string_view text) {
  const auto refused = [&] {
    return base::fail(base::invalid_input(fmt::format("\"{}\" is not a size", text), "Write 500MB or 20GiB."));
  };
  double amount = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), amount);
  if (code != std::errc() || !(amount >= 0)) return refused();
  std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  while (unit.starts_with(' ')) unit.remove_prefix(1);
  const auto factor = bytes_in(std::string(unit));
  constexpr double kExabyte = 1e18;
  if (!factor || !(amount * *factor <= kExabyte)) return refused();
  return static_cast<std::uint64_t>(std::llround(amount * *factor));
}

std::string format_size(std::uint64_t bytes) {
  constexpr std::array<const char*, 4> kUnits = {"KiB", "MiB", "GiB", "TiB"};
  for (std::size_t power = kUnits.size(); power > 0; --power) {
    const std::uint64_t unit = std::uint64_t{1} << (10 * power);
    if (bytes >= unit && bytes % unit == 0) return fmt::format("{} {}", bytes / unit, kUnits[power - 1]);
  }
  return fmt::format("{} bytes", bytes);
}

}  // namespace config
