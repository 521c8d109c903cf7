#include <fmt/format.h>

#include <algorithm>

#include "harness/report/text.h"
#include "harness/sweep/sweep.h"

namespace sweep {

static constexpr std::size_t kFailuresShown = 20;

static std::string duration(double seconds) {
  if (seconds < 90) return fmt::format("{:.0f} s", seconds);
  return fmt::format("{:.0f} min", seconds / 60);
}

std::string progress_line(const std::string& scenario, const Outcome& outcome) {
  const std::string title = report::fitted(scenario, 60);
  if (outcome.worlds == 0) return fmt::format("{}: recording", title);
  constexpr std::size_t kWidth = 24;
  const std::size_t filled = outcome.worlds == 0 ? 0 : kWidth * outcome.played / outcome.worlds;
  const double rate = outcome.seconds_playing > 0 ? static_cast<double>(outcome.played) / outcome.seconds_playing : 0;
  const double left = rate > 0 ? static_cast<double>(outcome.worlds - outcome.played) / rate : 0;
  return fmt::format("{} [{}{}] {}/{} worlds, {:.1f} a second, {} left, {} failed", title, std::string(filled, '#'),
                     std::string(kWidth - filled, '.'), outcome.played, outcome.worlds, rate,
                     rate > 0 ? duration(left) : "?", outcome.failures.size());
}

static std::string raw_text(const Swept& swept, bool interrupted) {
  const Outcome& outcome = swept.outcome;
  std::string text = fmt::format("{}{}\n", swept.scenario, swept.variant.empty() ? "" : " [" + swept.variant + "]");
  if (!outcome.error.empty()) return text + fmt::format("SETUP ERROR  {}\n", outcome.error);
  text += fmt::format("  {} fault points, recorded in {:.1f} s\n", outcome.points, outcome.seconds_recording);
  if (outcome.part.count > 1)
    text += fmt::format("  part {} of {}: {} of all {} points\n", outcome.part.index + 1, outcome.part.count,
                        outcome.part.points, outcome.part.of);
  for (const auto& [process, count] : outcome.points_by_process) text += fmt::format("    {:>6}  {}\n", count, process);
  for (const auto& [what, count] : outcome.network_points)
    text += fmt::format("    {:>6}  {} of the network\n", count, what);
  text += fmt::format("  {:<24}{:>9}{:>9}{:>9}{:>9}{:>9}\n", "", "faults", "worlds", "played", "failed", "unknown");
  for (const auto& [name, tally] : outcome.tallies) {
    text += fmt::format("  {:<24}{:>9}{:>9}{:>9}{:>9}{:>9}{}\n", name, tally.faults, tally.planned, tally.played,
                        tally.failed, tally.unknown,
                        tally.drawn == 0 ? "" : fmt::format("   images drawn at {} points", tally.drawn));
  }
  for (const auto& note : outcome.notes) text += "  note: " + note + "\n";
  for (const auto& what : outcome.not_covered) text += "  not covered: " + what + "\n";
  for (std::size_t i = 0; i < std::min(kFailuresShown, outcome.failures.size()); ++i) {
    const Failure& failure = outcome.failures[i];
    text +=
        fmt::format("  {}  {}\n        {}\n", oracle::name(failure.judgement), failure.fault.text(), failure.reason);
    if (i < swept.cases.size()) text += fmt::format("        replay: simrun replay {}\n", swept.cases[i]);
  }
  if (outcome.failures.size() > kFailuresShown)
    text += fmt::format("  and {} more\n", outcome.failures.size() - kFailuresShown);
  if (!outcome.complete)
    text += fmt::format("  {}: {} of {} worlds were played\n", interrupted ? "interrupted" : "the budget is spent",
                        outcome.played, outcome.worlds);
  const double rate = outcome.seconds_playing > 0 ? static_cast<double>(outcome.played) / outcome.seconds_playing : 0;
  text += fmt::format("{}  {} worlds in {} ({:.2f} a second, {:.2f} s of processor time each)\n",
                      oracle::name(outcome.judgement()), outcome.played, duration(outcome.seconds_playing), rate,
                      outcome.played == 0 ? 0 : outcome.processor_seconds / static_cast<double>(outcome.played));
  return text;
}

std::string render(const Swept& swept, bool interrupted) {
  return report::sanitised(raw_text(swept, interrupted));
}

static std::string escaped(const std::string& text) {
  std::string result;
  for (const char letter : text) {
    switch (letter) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      default:
        if (static_cast<unsigned char>(letter) >= 0x20 || letter == '\n') result += letter;
    }
  }
  return result;
}

// One test case for each scenario and kind of fault; its failures in full.
std::string to_junit(const std::vector<Swept>& all) {
  std::string text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"simrun sweep\">\n";
  for (const auto& swept : all) {
    const Outcome& outcome = swept.outcome;
    const std::string name = escaped(swept.file + (swept.variant.empty() ? std::string() : " [" + swept.variant + "]"));
    const auto failed = std::ranges::count(outcome.failures, oracle::Judgement::kFail, &Failure::judgement);
    text += fmt::format("  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" time=\"{:.3f}\">\n", name,
                        outcome.worlds, failed,
                        outcome.failures.size() - static_cast<std::size_t>(failed) + (outcome.error.empty() ? 0U : 1U),
                        outcome.seconds_playing);
    text +=
        fmt::format("    <properties><property name=\"fault points\" value=\"{}\"/></properties>\n", outcome.points);
    if (!outcome.error.empty())
      text +=
          fmt::format("    <testcase name=\"recording\"><error message=\"{}\"/></testcase>\n", escaped(outcome.error));
    for (const auto& [kind, tally] : outcome.tallies) {
      text += fmt::format("    <testcase classname=\"{}\" name=\"{}: {} faults, {} worlds\"/>\n", name, escaped(kind),
                          tally.faults, tally.played);
    }
    for (const auto& failure : outcome.failures) {
      const char* element = failure.judgement == oracle::Judgement::kFail ? "failure" : "error";
      text += fmt::format("    <testcase classname=\"{}\" name=\"{}\"><{} message=\"{}\"/></testcase>\n", name,
                          escaped(failure.fault.text()), element, escaped(failure.reason));
    }
    for (const auto& what : outcome.not_covered)
      text += fmt::format("    <testcase classname=\"{}\" name=\"not covered\"><error message=\"{}\"/></testcase>\n",
                          name, escaped(what));
    text += "  </testsuite>\n";
  }
  return text + "</testsuites>\n";
}

}  // namespace sweep
