#include "harness/explore/search/trace.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>
#include <regex>
#include <set>

#include "harness/oracle/expectations.h"
#include "harness/scenario/write.h"

namespace explore {

// Times, process numbers and random names are told apart by nothing but their digits.
static std::string without_numbers(const std::string& text) {
  static const std::regex hexadecimal("[0-9a-f]{7,}");
  static const std::regex number("[0-9]+");
  return std::regex_replace(std::regex_replace(text, hexadecimal, "#"), number, "#");
}

std::vector<std::string> trace_of(const scenario::Scenario& scenario, const oracle::ScenarioResult& result) {
  std::vector<std::string> lines{scenario::write(scenario, "")};
  const pod::WorldRecord& record = result.record;
  for (const pod::Boot& boot : record.boots) {
    const bool ended = boot.ended_by != pod::BootEnd::kStillRunning;
    lines.push_back(fmt::format("boot {} {}: {} {}, {} to {}", boot.number, boot.pod_id,
                                static_cast<int>(boot.ended_by), ended ? boot.status.describe() : "",
                                boot.best_step_before, boot.best_step_after));
  }
  for (const pod::Attempt& attempt : record.attempts) {
    lines.push_back(fmt::format("attempt in boot {}: {} to {}{}", attempt.boot, attempt.from_step, attempt.last_step,
                                attempt.finished ? ", finished" : ""));
  }
  std::set<std::string> said;
  for (const pod::Event& event : record.events) {
    if (event.kind == pod::EventKind::kPhase) {
      said.insert(fmt::format("boot {} said {}", event.boot, without_numbers(event.text)));
    }
  }
  lines.insert(lines.end(), said.begin(), said.end());
  const auto outcome = oracle::actual_outcome(record, result.verdicts);
  lines.push_back(fmt::format("outcome {}", outcome ? name(*outcome) : "none"));
  for (const auto& verdict : result.verdicts) {
    lines.push_back(fmt::format("{} {}", verdict.oracle, oracle::name(verdict.status)));
  }
  return lines;
}

std::string digest_of(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) text += line + "\n";
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr);
  std::string result;
  for (unsigned int i = 0; i < size; ++i) result += fmt::format("{:02x}", digest[i]);
  return result;
}

}  // namespace explore
