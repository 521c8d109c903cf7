#include <fmt/format.h>

#include "harness/scenario/sections.h"

namespace scenario {

const Section<Bound>& bound_section() {
  static const Section<Bound> section{
      {"at-least", [](Reader& reader, const YAML::Node& node, Bound& bound) { bound.at_least = reader.number(node); }},
      {"at-most", [](Reader& reader, const YAML::Node& node, Bound& bound) { bound.at_most = reader.number(node); }},
  };
  return section;
}

static Bound read_bound(Reader& reader, const YAML::Node& node) {
  Bound bound;
  if (node.IsScalar()) {
    bound.at_least = bound.at_most = reader.number(node);
    return bound;
  }
  read_section(reader, node, bound_section(), bound);
  if (!bound.at_least && !bound.at_most) reader.refuse(node, "bounds nothing", "Write at-least, at-most or both.");
  if (bound.at_least && bound.at_most && *bound.at_least > *bound.at_most) {
    reader.refuse(node, "asks for more than it allows: at-least is larger than at-most");
  }
  return bound;
}

static auto bound_into(std::optional<Bound> Expect::*member) {
  return
      [member](Reader& reader, const YAML::Node& node, Expect& expect) { expect.*member = read_bound(reader, node); };
}

static auto patterns_into(std::vector<std::string> Expect::*member) {
  return [member](Reader& reader, const YAML::Node& node, Expect& expect) {
    reader.each(node, [&](const YAML::Node& item) { (expect.*member).push_back(reader.regular_expression(item)); });
  };
}

static void read_outcome(Reader& reader, const YAML::Node& node, Expect& expect) {
  const std::string chosen = reader.choice(node, outcome_names());
  for (const Outcome outcome : {Outcome::kCompleted, Outcome::kHeld, Outcome::kLooped, Outcome::kExited,
                                Outcome::kRunning, Outcome::kStopped, Outcome::kTerminated}) {
    if (name(outcome) == chosen) expect.outcome = outcome;
  }
}

static void read_oracles(Reader& reader, const YAML::Node& node, Expect& expect) {
  static const std::map<std::string, OracleExpectation> expectations{
      {"passes", OracleExpectation::kPass},
      {"fails", OracleExpectation::kFail},
      {"fails-proven", OracleExpectation::kFailProven},
      {"fails-observed", OracleExpectation::kFailObserved}};
  reader.each_entry(node, [&](const std::string& oracle, const YAML::Node& value) {
    if (nearest(oracle, oracle_names()) != oracle) {
      reader.refuse(value, "is not a known oracle", suggest(oracle, oracle_names()));
      return;
    }
    const auto expectation = expectations.find(reader.choice(value, oracle_expectation_names()));
    if (expectation == expectations.end()) return;
    if (oracle != "never-loops" && expectation->first.starts_with("fails-")) {
      reader.refuse(value, fmt::format("is {}", expectation->first),
                    "Only never-loops is proven or observed. Write fails.");
    }
    expect.oracles[oracle] = expectation->second;
  });
}

const Section<Expect>& expect_section() {
  static const Section<Expect> section{
      {"outcome", read_outcome},
      {"boots", bound_into(&Expect::boots)},
      {"attempts", bound_into(&Expect::attempts)},
      {"boot-spacing", bound_into(&Expect::boot_spacing_seconds)},
      {"resumed-at-least",
       [](Reader& reader, const YAML::Node& node, Expect& expect) {
         expect.resumed_at_least = Bound{.at_least = reader.whole_number(node, 0), .at_most = std::nullopt};
       }},
      {"stop-calls", bound_into(&Expect::stop_calls)},
      {"billed-hours", bound_into(&Expect::billed_hours)},
      {"log", patterns_into(&Expect::log)},
      {"never-log", patterns_into(&Expect::never_log)},
      {"oracles", read_oracles},
  };
  return section;
}

const Section<Allowance>& allowance_section() {
  static const Section<Allowance> section{
      {"oracle",
       [](Reader& reader, const YAML::Node& node, Allowance& allowance) {
         allowance.oracle = reader.choice(node, oracle_names());
       },
       true},
      {"reason",
       [](Reader& reader, const YAML::Node& node, Allowance& allowance) {
         allowance.reason = reader.text(node);
         if (allowance.reason.empty()) reader.refuse(node, "is empty", "Say why the promise need not hold here.");
       },
       true},
  };
  return section;
}

void read_allowances(Reader& reader, const YAML::Node& node, std::vector<Allowance>& allowances) {
  reader.each(node, [&](const YAML::Node& item) {
    Allowance allowance;
    read_section(reader, item, allowance_section(), allowance);
    allowances.push_back(allowance);
  });
}

}  // namespace scenario
