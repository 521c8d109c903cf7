#include "harness/scenario/quantity.h"

#include <charconv>
#include <cmath>
#include <map>
#include <string>

namespace scenario {

struct Measured {
  double amount = 0;
  std::string unit;
};

// The schema's patterns say the same: digits, perhaps a fraction, then letters.
static std::optional<Measured> split(std::string_view text) {
  if (text.empty() || text.front() < '0' || text.front() > '9') return std::nullopt;
  Measured measured;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), measured.amount, std::chars_format::fixed);
  if (error != std::errc() || *(end - 1) == '.') return std::nullopt;
  measured.unit.assign(end, text.data() + text.size());
  return measured;
}

std::optional<Duration> parse_duration(std::string_view text) {
  static const std::map<std::string, double> seconds_by_unit{{"", 1},     {"ms", 0.001}, {"s", 1},
                                                             {"min", 60}, {"h", 3600},   {"d", 86400}};
  constexpr double kSecondsMax = 100.0 * 365 * 86400;
  const auto measured = split(text);
  if (!measured) return std::nullopt;
  const auto unit = seconds_by_unit.find(measured->unit);
  if (unit == seconds_by_unit.end()) return std::nullopt;
  const double seconds = measured->amount * unit->second;
  if (!(seconds <= kSecondsMax)) return std::nullopt;
  return Duration(std::llround(seconds * 1e9));
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  static const std::map<std::string, double> bytes_by_unit{{"", 1},
                                                           {"KB", 1e3},
                                                           {"MB", 1e6},
                                                           {"GB", 1e9},
                                                           {"TB", 1e12},
                                                           {"KiB", 1024.0},
                                                           {"MiB", 1048576.0},
                                                           {"GiB", 1073741824.0},
                                                           {"TiB", 1099511627776.0}};
  constexpr double kBytesMax = 1e18;
  const auto measured = split(text);
  if (!measured) return std::nullopt;
  const auto unit = bytes_by_unit.find(measured->unit);
  if (unit == bytes_by_unit.end()) return std::nullopt;
  const double bytes = measured->amount * unit->second;
  if (!(bytes <= kBytesMax)) return std::nullopt;
  return static_cast<std::uint64_t>(std::llround(bytes));
}

}  // namespace scenario
