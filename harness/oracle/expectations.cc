#include "harness/oracle/expectations.h"

#include <fmt/format.h>

#include <algorithm>
#include <regex>

#include "harness/oracle/words.h"

namespace oracle {

namespace {

using scenario::OracleExpectation;

std::string bound_text(const scenario::Bound& bound) {
  if (bound.at_least && bound.at_most && *bound.at_least == *bound.at_most) return fmt::format("{:g}", *bound.at_least);
  if (bound.at_least && bound.at_most) return fmt::format("{:g} to {:g}", *bound.at_least, *bound.at_most);
  if (bound.at_least) return fmt::format("at least {:g}", *bound.at_least);
  if (bound.at_most) return fmt::format("at most {:g}", *bound.at_most);
  return "any number";
}

bool within(const scenario::Bound& bound, double value) {
  return !(bound.at_least && value < *bound.at_least) && !(bound.at_most && value > *bound.at_most);
}

Finding held_against(const std::string& subject, const scenario::Bound& bound, double value, const std::string& text) {
  if (within(bound, value)) return {subject, Judgement::kPass, text + ", as expected"};
  return {subject, Judgement::kFail, fmt::format("{}, expected {}", text, bound_text(bound))};
}

Finding check_count(const std::string& subject, const scenario::Bound& bound, std::size_t count) {
  return held_against(subject, bound, static_cast<double>(count),
                      count_text(count, subject.substr(0, subject.size() - 1)));
}

// The median from start to start; nothing with fewer than two boots.
std::optional<double> boot_spacing_seconds(const pod::WorldRecord& record) {
  std::vector<double> gaps;
  for (std::size_t i = 1; i < record.boots.size(); ++i) {
    gaps.push_back(std::chrono::duration<double>(record.boots[i].start - record.boots[i - 1].start).count());
  }
  if (gaps.empty()) return std::nullopt;
  std::sort(gaps.begin(), gaps.end());
  const auto middle = gaps.size() / 2;
  return gaps.size() % 2 == 1 ? gaps[middle] : (gaps[middle - 1] + gaps[middle]) / 2;
}

Finding check_spacing(const scenario::Bound& bound, const pod::WorldRecord& record) {
  const auto spacing = boot_spacing_seconds(record);
  if (!spacing) return {"boot-spacing", Judgement::kFail, "there was only one boot, so no spacing between boots"};
  return held_against("boot-spacing", bound, *spacing, fmt::format("{:.1f} s from boot to boot", *spacing));
}

Finding check_resumption(const scenario::Bound& bound, const pod::WorldRecord& record) {
  if (record.attempts.empty()) return {"resumed-at-least", Judgement::kFail, "the training never began"};
  const auto step = record.attempts.back().from_step;
  if (within(bound, step))
    return {"resumed-at-least", Judgement::kPass, fmt::format("the last attempt began at step {}", step)};
  return {"resumed-at-least", Judgement::kFail,
          fmt::format("the last attempt began at step {}, expected {}", step, bound_text(bound))};
}

// The first line of the log that matches; nothing when none does. An expression that is none is the scenario's error.
Finding check_log(const std::string& expression, bool wanted, const pod::WorldRecord& record) {
  const std::string subject = wanted ? "log" : "never-log";
  try {
    const std::regex pattern(expression);
    const auto line = std::find_if(record.log.begin(), record.log.end(), [&](const pod::LogLine& candidate) {
      return std::regex_search(candidate.text, pattern);
    });
    const bool found = line != record.log.end();
    const auto text = found ? fmt::format("boot {} printed at {}: {}", line->boot, clock_text(line->at), line->text)
                            : fmt::format("no line of the output matches \"{}\"", expression);
    return {subject, found == wanted ? Judgement::kPass : Judgement::kFail, text};
  } catch (const std::regex_error& error) {
    return {subject, Judgement::kSetupError,
            fmt::format("\"{}\" is not a regular expression: {}", expression, error.what())};
  }
}

Finding check_outcome(scenario::Outcome expected, std::optional<scenario::Outcome> actual) {
  if (actual == expected) return {"outcome", Judgement::kPass, fmt::format("{}, as expected", name(expected))};
  if (!actual) return {"outcome", Judgement::kUnknown, fmt::format("cannot be told, expected {}", name(expected))};
  return {"outcome", Judgement::kFail, fmt::format("{}, expected {}", name(*actual), name(expected))};
}

bool as_expected(const Verdict& verdict, OracleExpectation expected) {
  switch (expected) {
    case OracleExpectation::kPass:
      return verdict.status == Status::kPass || verdict.status == Status::kNotApplicable;
    case OracleExpectation::kFail:
      return verdict.status == Status::kFail;
    case OracleExpectation::kFailProven:
      return verdict.status == Status::kFail && verdict.proven;
    case OracleExpectation::kFailObserved:
      return verdict.status == Status::kFail && !verdict.proven;
  }
  return false;
}

std::string_view expectation_text(OracleExpectation expected) {
  switch (expected) {
    case OracleExpectation::kPass:
      return "pass";
    case OracleExpectation::kFail:
      return "fail";
    case OracleExpectation::kFailProven:
      return "fail, proven";
    case OracleExpectation::kFailObserved:
      return "fail, observed and not proven";
  }
  return "pass";
}

std::string status_text(const Verdict& verdict) {
  if (verdict.status == Status::kFail && verdict.oracle == "never-loops") {
    return verdict.proven ? "fails (proven)" : "fails (observed)";
  }
  switch (verdict.status) {
    case Status::kPass:
      return "passes";
    case Status::kFail:
      return "fails";
    case Status::kUnknown:
      return "cannot tell";
    case Status::kNotApplicable:
      return "does not apply";
  }
  return "cannot tell";
}

}  // namespace

std::optional<scenario::Outcome> actual_outcome(const pod::WorldRecord& record, const std::vector<Verdict>& verdicts) {
  const bool looped = std::any_of(verdicts.begin(), verdicts.end(), [](const Verdict& verdict) {
    return verdict.oracle == "never-loops" && verdict.status == Status::kFail;
  });
  // Boots that follow one another until the platform gives up are a loop that has ended.
  if (looped && record.outcome != scenario::Outcome::kExited) return scenario::Outcome::kLooped;
  return record.outcome;
}

std::vector<Finding> check_expectations(const scenario::Scenario& scenario, const pod::WorldRecord& record,
                                        const std::vector<Verdict>& verdicts) {
  const auto& expect = scenario.expect;
  std::vector<Finding> findings;
  if (expect.outcome) findings.push_back(check_outcome(*expect.outcome, actual_outcome(record, verdicts)));
  if (expect.boots) findings.push_back(check_count("boots", *expect.boots, record.boots.size()));
  if (expect.attempts) findings.push_back(check_count("attempts", *expect.attempts, record.attempts.size()));
  if (expect.boot_spacing_seconds) findings.push_back(check_spacing(*expect.boot_spacing_seconds, record));
  if (expect.resumed_at_least) findings.push_back(check_resumption(*expect.resumed_at_least, record));
  if (expect.stop_calls)
    findings.push_back(check_count("stop-calls", *expect.stop_calls, static_cast<std::size_t>(record.stop_calls)));
  if (expect.billed_hours) {
    const double hours = std::chrono::duration<double, std::ratio<3600>>(record.billed).count();
    findings.push_back(
        held_against("billed-hours", *expect.billed_hours, hours, fmt::format("{:.2f} hours billed", hours)));
  }
  // The emulated API takes what the real one would take, and nothing else.
  if (!record.malformed_requests.empty())
    findings.push_back({"provider", Judgement::kFail, "it was asked wrongly: " + record.malformed_requests.front()});
  for (const auto& expression : expect.log) findings.push_back(check_log(expression, true, record));
  for (const auto& expression : expect.never_log) findings.push_back(check_log(expression, false, record));
  return findings;
}

std::vector<Finding> check_verdicts(const scenario::Scenario& scenario, const std::vector<Verdict>& verdicts) {
  std::vector<Finding> findings;
  for (const auto& verdict : verdicts) {
    const auto named = scenario.expect.oracles.find(verdict.oracle);
    const auto expected = named == scenario.expect.oracles.end() ? OracleExpectation::kPass : named->second;
    const auto text = fmt::format("{} {}", verdict.oracle, status_text(verdict));
    if (as_expected(verdict, expected)) {
      const bool surprising = expected != OracleExpectation::kPass;
      findings.push_back({verdict.oracle, Judgement::kPass,
                          fmt::format("{}{}: {}", text, surprising ? ", as expected" : "", verdict.reason)});
      continue;
    }
    const auto judgement = verdict.status == Status::kUnknown ? Judgement::kUnknown : Judgement::kFail;
    const auto wanted =
        expected == OracleExpectation::kPass ? "" : fmt::format(", but was expected to {}", expectation_text(expected));
    findings.push_back({verdict.oracle, judgement, fmt::format("{}{}: {}", text, wanted, verdict.reason)});
  }
  return findings;
}

}  // namespace oracle
