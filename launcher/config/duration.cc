#include "launcher/config/duration.h"

#include <fmt/format.h>

#include <cctype>
#include <charconv>
#include <cmath>
#include <optional>

namespace config {

using std::chrono::seconds;

static std::optional<double> seconds_in(std::string_view unit) {
  if (unit == "s" || unit == "sec" || unit == "seconds") return 1;
  if (unit == "m" || unit == "min" || unit == "minutes") return 60;
  if (unit == "h" || unit == "hours" || unit == "hour") return 3600;
  if (unit == "d" || unit == "days" || unit == "day") return 86400;
  return std::nullopt;
}

static bool is_blank(char letter) {
  return letter == ' ';
}
static bool is_letter(char letter) {
  return std::isalpha(static_cast<unsigned char>(letter)) != 0;
}

base::Result<seconds> parse_duration(std::string_view text, seconds unit) {
  const auto refused = [&] {
    return base::fail(
        base::invalid_input(fmt::format("\"{}\" is not a duration", text), "Write 90s, 30min, 2h or 1d."));
  };
  double total = 0;
  std::string_view rest = text;
  if (rest.empty()) return refused();
  while (!rest.empty()) {
    double amount = 0;
    const auto [end, code] = std::from_chars(rest.data(), rest.data() + rest.size(), amount);
    if (code != std::errc() || amount < 0) return refused();
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    while (!rest.empty() && is_blank(rest.front())) rest.remove_prefix(1);
    std::size_t length = 0;
    while (length < rest.size() && is_letter(rest[length])) ++length;
    const std::string_view name = rest.substr(0, length);
    rest.remove_prefix(length);
    while (!rest.empty() && is_blank(rest.front())) rest.remove_prefix(1);
    // A number alone stands for itself; within a sum it could mean anything.
    const bool alone = rest.empty() && total == 0;
    if (name.empty() && !alone) return refused();
    const std::optional<double> factor = name.empty() ? static_cast<double>(unit.count()) : seconds_in(name);
    if (!factor) return refused();
    total += amount * *factor;
  }
  constexpr double kHundredYears = 100.0 * 366 * 86400;
  if (!(total <= kHundredYears)) return refused();
  return seconds(static_cast<seconds::rep>(std::llround(total)));
}

std::string rough_duration(seconds duration) {
  const auto minutes = duration.count() / 60;
  if (minutes >= 60) return fmt::format("{} h {} min", minutes / 60, minutes % 60);
  return minutes > 0 ? fmt::format("{} min", minutes) : fmt::format("{} s", duration.count());
}

std::string format_duration(seconds duration) {
  const auto count = duration.count();
  if (count != 0 && count % 3600 == 0) return fmt::format("{} h", count / 3600);
  if (count != 0 && count % 60 == 0) return fmt::format("{} min", count / 60);
  return fmt::format("{} s", count);
}

}  // namespace config
