#include "harness/report/junit.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "harness/report/terminal.h"
#include "harness/report/text.h"

namespace report {

namespace {

using oracle::Judgement;

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : sanitised(text)) {
    switch (c) {
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
        result += c;
    }
  }
  return result;
}

// Parsers turn line feeds and tabs of an attribute into spaces unless they are written as numbers.
std::string attribute(std::string_view name, std::string_view value) {
  std::string text;
  for (const char c : escaped(value)) {
    if (c == '\n') {
      text += "&#10;";
    } else if (c == '\t') {
      text += "&#9;";
    } else {
      text += c;
    }
  }
  return fmt::format(" {}=\"{}\"", name, text);
}

std::string property(std::string_view name, std::string_view value) {
  return fmt::format("        <property{}{}/>\n", attribute("name", name), attribute("value", value));
}

std::string properties(const oracle::ScenarioResult& result) {
  std::string text = "      <properties>\n";
  text += property("file", result.file);
  text += property("verdict", oracle::name(result.judgement));
  if (result.record.outcome) text += property("outcome", scenario::name(*result.record.outcome));
  text += property("boots", std::to_string(result.record.boots.size()));
  text += property("attempts", std::to_string(result.record.attempts.size()));
  text += property("virtual-seconds", fmt::format("{:.3f}", std::chrono::duration<double>(result.record.end).count()));
  for (const auto& verdict : result.verdicts) {
    text += property("oracle." + verdict.oracle,
                     fmt::format("{}{}: {}", name(verdict.status), verdict.proven ? " (proven)" : "", verdict.reason));
  }
  if (!result.replay.empty()) text += property("replay", result.replay);
  if (!result.kept_folder.empty()) text += property("kept", result.kept_folder);
  return text + "      </properties>\n";
}

std::string complaint(const oracle::ScenarioResult& result) {
  if (result.judgement == Judgement::kPass) return "";
  const auto element = result.judgement == Judgement::kFail ? "failure" : "error";
  std::string findings;
  for (const auto& finding : result.findings) {
    if (finding.judgement != Judgement::kPass) findings += finding.subject + ": " + finding.text + '\n';
  }
  return fmt::format("      <{}{}{}>{}</{}>\n", element, attribute("message", result.reason),
                     attribute("type", name(result.judgement)), escaped(findings), element);
}

std::string testcase(const oracle::ScenarioResult& result) {
  const auto title = result.variant.empty() ? result.name : fmt::format("{} [{}]", result.name, result.variant);
  const auto group = std::filesystem::path(result.file).stem().string();
  return fmt::format("    <testcase{}{} time=\"{:.3f}\">\n{}{}      <system-out>{}</system-out>\n    </testcase>\n",
                     attribute("classname", group.empty() ? "simrun" : group), attribute("name", title),
                     result.record.real_seconds, properties(result), complaint(result), escaped(render(result, false)));
}

}  // namespace

std::string to_junit(const std::vector<oracle::ScenarioResult>& results) {
  const auto failures = std::count_if(results.begin(), results.end(), [](const oracle::ScenarioResult& result) {
    return result.judgement == Judgement::kFail;
  });
  const auto errors = std::count_if(results.begin(), results.end(), [](const oracle::ScenarioResult& result) {
    return result.judgement == Judgement::kUnknown || result.judgement == Judgement::kSetupError;
  });
  double seconds = 0;
  std::string cases;
  for (const auto& result : results) {
    seconds += result.record.real_seconds;
    cases += testcase(result);
  }
  const auto counts =
      fmt::format(" name=\"simrun\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"0\" time=\"{:.3f}\"",
                  results.size(), failures, errors, seconds);
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites{}>\n  <testsuite{}>\n{}  </testsuite>\n</testsuites>\n",
      counts, counts, cases);
}

}  // namespace report
