#include <fmt/format.h>

#include <algorithm>

#include "harness/oracle/expectations.h"
#include "harness/oracle/result.h"
#include "harness/oracle/words.h"

namespace oracle {

namespace {

int weight(Judgement judgement) {
  switch (judgement) {
    case Judgement::kPass:
      return 0;
    case Judgement::kUnknown:
      return 1;
    case Judgement::kFail:
      return 2;
    case Judgement::kSetupError:
      return 3;
  }
  return 3;
}

const scenario::Allowance* allowance_for(const scenario::Scenario& scenario, const std::string& subject) {
  for (const auto& allowance : scenario.allow) {
    if (allowance.oracle == subject) return &allowance;
  }
  return nullptr;
}

bool is_known(const std::string& subject) {
  return std::any_of(all().begin(), all().end(), [&](const Oracle& oracle) { return oracle.name == subject; });
}

std::vector<Finding> check_names(const scenario::Scenario& scenario) {
  std::vector<Finding> findings;
  const auto check = [&](const std::string& subject) {
    if (is_known(subject)) return;
    std::string known;
    for (const auto& oracle : all()) known += (known.empty() ? "" : ", ") + oracle.name;
    findings.push_back(
        {subject, Judgement::kSetupError, fmt::format("there is no oracle \"{}\"; there are {}", subject, known)});
  };
  for (const auto& [subject, expected] : scenario.expect.oracles) check(subject);
  for (const auto& allowance : scenario.allow) check(allowance.oracle);
  return findings;
}

// A fault that never happened was not survived, and what the stage could not see was not checked.
std::string joined(const std::vector<std::string>& texts) {
  std::string all_of_them;
  for (const auto& text : texts) all_of_them += (all_of_them.empty() ? "" : "; ") + text;
  return all_of_them;
}

// A fault that never happened was not survived, and what the stage could not see was not checked.
void add_gaps(const pod::WorldRecord& record, std::vector<Finding>& findings) {
  if (!record.passed_over.empty()) {
    findings.push_back({"timeline", Judgement::kUnknown, "could not be done: " + joined(record.passed_over)});
  }
  if (record.pending_timeline) {
    findings.push_back({"timeline", Judgement::kUnknown, "never came to pass: " + joined(record.pending)});
  }
  if (!record.not_covered.empty()) {
    findings.push_back(
        {"coverage", Judgement::kUnknown, "the simulator cannot vouch for " + joined(record.not_covered)});
  }
}

std::string replay_line(const scenario::Scenario& scenario) {
  if (scenario.file.empty()) return "";
  const auto line = "./dev simrun " + scenario.file;
  return scenario.variant.empty() ? line : fmt::format("{} --variant '{}'", line, scenario.variant);
}

std::string summary(const pod::WorldRecord& record, const std::vector<Verdict>& verdicts) {
  const auto outcome = actual_outcome(record, verdicts);
  const auto boots = count_text(record.boots.size(), "boot");
  return fmt::format("{} after {} and {}", outcome ? name(*outcome) : "ended", boots, length_text(record.end));
}

}  // namespace

ScenarioResult judge(const scenario::Scenario& scenario, const pod::WorldRecord& record) {
  ScenarioResult result;
  result.name = scenario.name;
  result.file = scenario.file;
  result.variant = scenario.variant;
  result.story = scenario.story;
  result.record = record;
  result.replay = replay_line(scenario);
  std::vector<Finding> allowed;
  for (const auto& oracle : all()) {
    if (const auto* allowance = allowance_for(scenario, oracle.name)) {
      allowed.push_back({oracle.name, Judgement::kPass, "not asked: " + allowance->reason});
    } else {
      result.verdicts.push_back(oracle.check(scenario, record));
    }
  }
  result.findings = check_names(scenario);
  const auto add = [&](const std::vector<Finding>& more) {
    result.findings.insert(result.findings.end(), more.begin(), more.end());
  };
  add(check_expectations(scenario, record, result.verdicts));
  add(check_verdicts(scenario, result.verdicts));
  add(allowed);
  add_gaps(record, result.findings);

  const auto worst =
      std::max_element(result.findings.begin(), result.findings.end(),
                       [](const Finding& a, const Finding& b) { return weight(a.judgement) < weight(b.judgement); });
  const bool passed = worst == result.findings.end() || worst->judgement == Judgement::kPass;
  result.judgement = passed ? Judgement::kPass : worst->judgement;
  result.reason = passed ? summary(record, result.verdicts) : worst->subject + ": " + worst->text;
  return result;
}

int exit_status(Judgement judgement) {
  switch (judgement) {
    case Judgement::kPass:
      return 0;
    case Judgement::kFail:
      return 1;
    case Judgement::kUnknown:
      return 2;
    case Judgement::kSetupError:
      return 3;
  }
  return 3;
}

std::string_view name(Judgement judgement) {
  switch (judgement) {
    case Judgement::kPass:
      return "PASS";
    case Judgement::kFail:
      return "FAIL";
    case Judgement::kUnknown:
      return "UNKNOWN";
    case Judgement::kSetupError:
      return "SETUP ERROR";
  }
  return "SETUP ERROR";
}

}  // namespace oracle
