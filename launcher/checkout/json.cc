#include <nlohmann/json.hpp>

#include "launcher/checkout/checkout.h"

namespace checkout {
namespace {

using nlohmann::json;

constexpr FindingKind kLastKind = FindingKind::kBranchGoneUpstream;

std::optional<FindingKind> kind_of(std::string_view text) {
  for (int value = 0; value <= static_cast<int>(kLastKind); ++value) {
    const auto kind = static_cast<FindingKind>(value);
    if (name(kind) == text) return kind;
  }
  return std::nullopt;
}

json json_of(const Finding& finding) {
  return {{"kind", name(finding.kind)},     {"where", finding.where},
          {"what", finding.what},           {"sure", finding.sure == Confidence::kCertain ? "certain" : "likely"},
          {"threatens", finding.threatens}, {"treatment", finding.treatment}};
}

Finding finding_of(const json& value) {
  Finding finding;
  finding.kind = kind_of(value.at("kind").get<std::string>()).value_or(FindingKind::kLocalChanges);
  finding.where = value.at("where");
  finding.what = value.at("what");
  finding.sure = value.at("sure") == "certain" ? Confidence::kCertain : Confidence::kLikely;
  finding.threatens = value.at("threatens");
  finding.treatment = value.at("treatment");
  return finding;
}

json json_of(const Outcome& outcome) {
  json findings = json::array();
  for (const Finding& finding : outcome.findings) findings.push_back(json_of(finding));
  json rescued = json::array();
  for (const Rescued& one : outcome.rescued) rescued.push_back({{"what", one.what}, {"where", one.where}});
  return {{"path", outcome.path.string()},
          {"commit", outcome.commit},
          {"branch", outcome.branch},
          {"cloned", outcome.cloned},
          {"updated", outcome.updated},
          {"repaired", outcome.repaired},
          {"upstream_reached", outcome.upstream_reached},
          {"local_changes", outcome.local_changes},
          {"ahead", outcome.ahead},
          {"behind", outcome.behind},
          {"surveyed_deep", outcome.surveyed_deep},
          {"findings", findings},
          {"done", outcome.done},
          {"rescued", rescued},
          {"warnings", outcome.warnings}};
}

json json_of(const base::Error& error) {
  return {{"code", static_cast<int>(error.code)},
          {"code_name", base::name(error.code)},
          {"operation", error.operation},
          {"path", error.path},
          {"errno", error.system_errno},
          {"detail", error.detail},
          {"remedy", error.remedy},
          {"message", error.message()}};
}

Outcome outcome_of(const json& value) {
  Outcome outcome;
  outcome.path = value.at("path").get<std::string>();
  outcome.commit = value.at("commit");
  outcome.branch = value.at("branch");
  outcome.cloned = value.at("cloned");
  outcome.updated = value.at("updated");
  outcome.repaired = value.at("repaired");
  outcome.upstream_reached = value.at("upstream_reached");
  outcome.local_changes = value.at("local_changes");
  outcome.ahead = value.at("ahead");
  outcome.behind = value.at("behind");
  outcome.surveyed_deep = value.at("surveyed_deep");
  for (const json& finding : value.at("findings")) outcome.findings.push_back(finding_of(finding));
  outcome.done = value.at("done").get<std::vector<std::string>>();
  for (const json& one : value.at("rescued")) outcome.rescued.push_back({one.at("what"), one.at("where")});
  outcome.warnings = value.at("warnings").get<std::vector<std::string>>();
  return outcome;
}

base::Error error_of(const json& value) {
  base::Error error;
  error.code = static_cast<base::ErrorCode>(value.at("code").get<int>());
  error.operation = value.at("operation");
  error.path = value.at("path");
  error.system_errno = value.at("errno");
  error.detail = value.at("detail");
  error.remedy = value.at("remedy");
  return error;
}

// Paths and git's own words need not be UTF-8.
std::string text_of(const json& value) {
  return value.dump(2, ' ', false, json::error_handler_t::replace);
}

}  // namespace

std::string to_json(const Survey& survey) {
  json findings = json::array();
  for (const Finding& finding : survey.findings) findings.push_back(json_of(finding));
  return text_of({{"depth", survey.depth == Depth::kFull   ? "full"
                            : survey.depth == Depth::kDeep ? "deep"
                                                           : "quick"},
                  {"sound", survey.sound()},
                  {"findings", findings}});
}

std::string to_json(const base::Result<Outcome>& result) {
  if (!result) return text_of({{"error", json_of(result.error())}});
  return text_of({{"outcome", json_of(*result)}});
}

base::Result<Outcome> outcome_from_json(std::string_view text) {
  try {
    const json value = json::parse(text);
    if (value.contains("error")) return base::fail(error_of(value.at("error")));
    return outcome_of(value.at("outcome"));
  } catch (const json::exception& exception) {
    base::Error error;
    error.code = base::ErrorCode::kDamaged;
    error.operation = "read the answer about the checkout";
    error.detail = exception.what();
    return base::fail(error);
  }
}

}  // namespace checkout
