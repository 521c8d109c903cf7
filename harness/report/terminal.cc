#include "harness/report/terminal.h"

#include <fmt/format.h>

#include <algorithm>

#include "harness/oracle/words.h"
#include "harness/report/style.h"
#include "harness/report/text.h"
#include "harness/report/timeline.h"

namespace report {

namespace {

using oracle::Judgement;

constexpr std::size_t subject_width = 17;
constexpr std::size_t name_width = 44;

std::string full_name(const oracle::ScenarioResult& result) {
  return result.variant.empty() ? result.name : fmt::format("{} [{}]", result.name, result.variant);
}

std::string padded(const std::string& text, std::size_t width) {
  const auto taken = columns(text);
  return taken < width ? text + std::string(width - taken, ' ') : text;
}

std::string_view mark(Judgement judgement) {
  switch (judgement) {
    case Judgement::kPass:
      return "✓";
    case Judgement::kUnknown:
      return "?";
    case Judgement::kFail:
    case Judgement::kSetupError:
      return "✗";
  }
  return "?";
}

void add_wrapped(std::string& page, const std::string& first_indent, std::size_t indent, const std::string& text) {
  bool first = true;
  for (const auto& line : wrapped(text, page_width - indent)) {
    page += (first ? first_indent : std::string(indent, ' ')) + line + '\n';
    first = false;
  }
}

// "never-loops fails (proven): …" under the subject "never-loops" need not name it again.
std::string without_subject(const oracle::Finding& finding) {
  const bool repeats = finding.text.starts_with(finding.subject + " ");
  return repeats ? finding.text.substr(finding.subject.size() + 1) : finding.text;
}

void add_findings(const oracle::ScenarioResult& result, const Style& style, std::string& page) {
  for (const auto& finding : result.findings) {
    const auto head = fmt::format(" {} {}", style.verdict(finding.judgement, mark(finding.judgement)),
                                  padded(fitted(finding.subject, 24), subject_width) + "  ");
    const auto indent = 3 + std::max(columns(finding.subject), subject_width) + 2;
    add_wrapped(page, head, indent, without_subject(finding));
  }
}

void add_assumptions(const oracle::ScenarioResult& result, std::string& page) {
  for (const auto& verdict : result.verdicts) {
    if (!verdict.proven || verdict.assumptions.empty()) continue;
    page += fmt::format("\n The proof of {} assumes that\n", verdict.oracle);
    for (const auto& assumption : verdict.assumptions) add_wrapped(page, "  - ", 4, assumption);
  }
}

}  // namespace

std::string render(const oracle::ScenarioResult& result, bool colour) {
  const Style style(colour);
  std::string page = style.bold(fitted(full_name(result), page_width)) + '\n';
  if (!result.story.empty()) add_wrapped(page, " ", 1, result.story);
  page += '\n';
  for (const auto& line : timeline_lines(result.record, style)) page += line + '\n';
  if (!result.record.boots.empty()) page += '\n';
  add_findings(result, style, page);
  add_assumptions(result, page);

  const std::string verdict{oracle::name(result.judgement)};
  page += '\n';
  add_wrapped(page, style.verdict(result.judgement, verdict) + "  ", verdict.size() + 2, result.reason);
  if (result.record.real_seconds > 0) {
    page += style.dim(fmt::format("played in {:.1f} s", result.record.real_seconds)) + '\n';
  }
  // Paths and commands are not wrapped: they are there to be copied.
  if (!result.kept_folder.empty()) page += "kept:    " + sanitised(result.kept_folder) + '\n';
  if (!result.replay.empty()) page += "replay:  " + sanitised(result.replay) + '\n';
  return page;
}

std::string render_line(const oracle::ScenarioResult& result, bool colour) {
  const Style style(colour);
  const std::string verdict{oracle::name(result.judgement)};
  const auto label = padded(verdict, 8);
  const auto seconds = fmt::format("{:6.1f} s", result.record.real_seconds);
  const auto reason_width = page_width - label.size() - 1 - name_width - 1 - seconds.size() - 1;
  return fmt::format("{} {} {} {}\n", style.verdict(result.judgement, label),
                     padded(fitted(full_name(result), name_width), name_width),
                     padded(fitted(result.reason, reason_width), reason_width), style.dim(seconds));
}

std::string render_count(const std::vector<oracle::ScenarioResult>& results, bool colour) {
  const Style style(colour);
  auto worst = Judgement::kPass;
  std::string parts;
  const std::pair<Judgement, std::string_view> kinds[] = {{Judgement::kPass, "passed"},
                                                          {Judgement::kUnknown, "unknown"},
                                                          {Judgement::kFail, "failed"},
                                                          {Judgement::kSetupError, "could not be run"}};
  for (const auto& [judgement, word] : kinds) {
    const auto count = std::count_if(results.begin(), results.end(),
                                     [wanted = judgement](const auto& result) { return result.judgement == wanted; });
    if (count == 0) continue;
    worst = judgement;
    parts += fmt::format("{}{} {}", parts.empty() ? "" : ", ", count, word);
  }
  if (parts.empty()) parts = "nothing was run";
  return fmt::format("{}: {}\n", oracle::count_text(results.size(), "scenario"), style.verdict(worst, parts));
}

bool colour_wanted(bool is_terminal, const char* no_colour) {
  return is_terminal && (no_colour == nullptr || *no_colour == '\0');
}

}  // namespace report
