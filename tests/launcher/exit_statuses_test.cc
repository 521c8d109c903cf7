// docs/exit-statuses.md is what schedulers are configured by. It says exactly what the table of hold reasons says.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <regex>
#include <string>

#include "launcher/policy/hold_rules.h"

namespace {

struct Row {
  std::string reason;
  std::string cause;
};

std::map<int, Row> documented() {
  std::ifstream page(PROJECT_SOURCE_DIR "/docs/exit-statuses.md");
  EXPECT_TRUE(page.is_open());
  const std::regex row(R"(\| (\d+) \| ([a-z-]+) \| ([^|]+) \| [^|]+ \|)");
  std::map<int, Row> rows;
  std::smatch match;
  for (std::string line; std::getline(page, line);) {
    if (!std::regex_match(line, match, row)) continue;
    EXPECT_TRUE(rows.emplace(std::stoi(match[1].str()), Row{match[2].str(), match[3].str()}).second) << line;
  }
  return rows;
}

TEST(ExitStatuses, PageSaysWhatTheTableOfHoldReasonsSays) {
  const std::map<int, Row> rows = documented();
  EXPECT_EQ(rows.size(), static_cast<std::size_t>(policy::hold_reason_count));
  for (int i = 0; i < policy::hold_reason_count; ++i) {
    const policy::HoldRule& rule = policy::rule(static_cast<policy::HoldReason>(i));
    const auto found = rows.find(rule.exit_code);
    ASSERT_NE(found, rows.end()) << rule.name << ": exit status " << rule.exit_code << " is not on the page";
    EXPECT_EQ(found->second.reason, rule.name);
    EXPECT_EQ(found->second.cause, rule.cause);
  }
}

TEST(ExitStatuses, EveryReasonHasItsOwnAndNoneIsTakenByAShellOrASignal) {
  std::map<int, std::string_view> seen;
  for (int i = 0; i < policy::hold_reason_count; ++i) {
    const policy::HoldRule& rule = policy::rule(static_cast<policy::HoldReason>(i));
    EXPECT_TRUE(seen.emplace(rule.exit_code, rule.name).second) << rule.name << " and " << seen[rule.exit_code];
    EXPECT_GT(rule.exit_code, 2) << rule.name;
    EXPECT_LT(rule.exit_code, 125) << rule.name;
  }
}

TEST(ExitStatuses, KubernetesExampleListsThemAll) {
  std::ifstream page(PROJECT_SOURCE_DIR "/docs/exit-statuses.md");
  std::string listed;
  for (std::string line; std::getline(page, line);) {
    if (line.find("operator: In") != std::string::npos) listed = line;
  }
  for (const auto& [code, row] : documented()) {
    EXPECT_NE(listed.find(std::to_string(code)), std::string::npos) << code << " (" << row.reason << ")";
  }
}

}  // namespace
