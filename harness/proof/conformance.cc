#include "harness/proof/conformance.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <ostream>
#include <random>

#include "harness/proof/prove_words.h"
#include "harness/proof/scenario_writer.h"
#include "harness/scenario/parse.h"

namespace proof {

using namespace policy;

namespace {

constexpr int turns_max = 24;
constexpr int turns_after_the_end_max = 3;
constexpr int attempts_max = 8;  // a world takes real time for each

// What the ledger writes of each boot and attempt. Time, commits and steps come as the world brings them about.
bool is_told(std::string_view kind) {
  static constexpr std::string_view kinds[] = {"boot-began",   "attempt-began", "attempt-ended",
                                               "phase-failed", "preempted",     "resume-asked"};
  return std::ranges::find(kinds, kind) != std::end(kinds);
}

std::string in_words(std::string_view kind, std::string_view decision, std::string_view reason) {
  return reason.empty() ? fmt::format("{}: {}", kind, decision) : fmt::format("{}: {} ({})", kind, decision, reason);
}

std::string in_words(const Observation& observation, const Decision& decision) {
  const auto* hold = std::get_if<Hold>(&decision);
  return in_words(name(observation), name(decision), hold != nullptr ? name(hold->reason) : "");
}

// How often a turn is taken beside others: a walk that ends soon shows little.
unsigned weight(const Turn& turn) {
  if (!turn.observation) return 2;
  if (const auto* end = std::get_if<AttemptEnded>(&*turn.observation)) {
    if (end->older_checkpoint) return 12;  // only the same failure time and again comes to it
    return end->cause == Cause::kFinished ? 1 : 4;
  }
  if (std::holds_alternative<PhaseFailed>(*turn.observation)) return 1;
  return 2;
}

}  // namespace

Walk random_walk(const PolicyOnTrial& given, std::uint64_t seed) {
  PolicyOnTrial trial = given;
  trial.only_scenarios = true;
  std::mt19937_64 random(seed);
  Walk walk;
  walk.seed = seed;
  ScenarioWriter writer;
  State state;
  std::vector<Turn> turns;
  int turns_after_the_end = 0;
  for (int count = 0; count < turns_max && writer.attempts() < attempts_max; ++count) {
    if (state.done && ++turns_after_the_end > turns_after_the_end_max) break;
    list_turns(trial, state, turns);
    std::vector<const Turn*> lots;
    for (const Turn& turn : turns) {
      ScenarioWriter tried = writer;
      if (tried.add(state, turn)) lots.insert(lots.end(), weight(turn), &turn);
    }
    if (lots.empty()) break;
    // The remainder of a division, not a distribution: the libraries' distributions differ.
    const Turn& turn = *lots[random() % lots.size()];
    (void)writer.add(state, turn);
    walk.happens.push_back(describe(state, turn).happens);
    // Told to end when nothing is left to count, it writes nothing.
    const bool told = turn.observation && is_told(name(*turn.observation)) && state.place != Place::kConcluding;
    if (told) walk.expected.push_back(in_words(*turn.observation, *turn.decision));
    state = turn.next;
  }
  walk.scenario = writer.text(fmt::format("walk {} through the policy graph", seed),
                              "What podlaunch decides in it is held against its model.", "");
  return walk;
}

std::vector<std::string> decisions_in(const std::string& status_json) {
  std::vector<std::string> decisions;
  const auto document = nlohmann::json::parse(status_json, nullptr, /*allow_exceptions=*/false);
  if (!document.is_object() || !document.contains("records")) return decisions;
  for (const auto& record : document["records"]) {
    const std::string kind = record.value("kind", "");
    if (is_told(kind)) decisions.push_back(in_words(kind, record.value("decision", ""), record.value("reason", "")));
  }
  return decisions;
}

namespace {

// Where what was decided leaves what was expected. The world goes on after the walk's last turn, and so may decide
// more.
std::optional<std::size_t> first_difference(const Walk& walk, const std::vector<std::string>& decided) {
  for (std::size_t i = 0; i < walk.expected.size(); ++i) {
    if (i >= decided.size() || decided[i] != walk.expected[i]) return i;
  }
  return std::nullopt;
}

std::string keep(const Walk& walk) {
  std::string folder = std::filesystem::temp_directory_path() / "simrun-walk-XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) return "nowhere";
  const std::string path = fmt::format("{}/walk-{}.yaml", folder, walk.seed);
  std::ofstream(path) << walk.scenario;
  return path;
}

void print_difference(std::ostream& out, const Walk& walk, const std::vector<std::string>& decided, std::size_t first) {
  out << fmt::format("DIFFERS walk {}: at decision {}\n", walk.seed, first + 1);
  for (std::size_t i = 0; i <= first; ++i) {
    out << fmt::format("        {:3}. model: {:45} podlaunch: {}\n", i + 1, walk.expected[i],
                       i < decided.size() ? decided[i] : "nothing");
  }
  out << fmt::format("        what happens: {}\n", fmt::join(walk.happens, "; "));
  out << fmt::format("        kept: {}\n", keep(walk));
}

}  // namespace

int check_conformance(std::ostream& out, const Conformance& conformance, explore::Settings settings) {
  std::vector<Walk> walks;
  std::vector<scenario::Scenario> scenarios;
  for (int i = 0; i < conformance.walks; ++i) {
    walks.push_back(random_walk({}, conformance.first_seed + static_cast<std::uint64_t>(i)));
    auto parsed = scenario::parse(walks.back().scenario, fmt::format("walk-{}.yaml", walks.back().seed));
    if (!parsed) {
      out << parsed.error().message() << "\n" << walks.back().scenario;
      return 3;
    }
    scenarios.push_back(std::move(parsed->front()));
  }
  settings.status_of_run = "walk";
  const auto results = explore::play_all(scenarios, settings, conformance.workers, [](const auto&) {});
  bool conforms = true;
  std::size_t decisions = 0;
  for (std::size_t i = 0; i < walks.size(); ++i) {
    if (results[i].judgement == oracle::Judgement::kSetupError) {
      out << fmt::format("walk {}: {}\n", walks[i].seed, results[i].reason);
      return 3;
    }
    const auto decided = decisions_in(results[i].launcher_status);
    decisions += walks[i].expected.size();
    const auto difference = first_difference(walks[i], decided);
    if (difference) print_difference(out, walks[i], decided, *difference);
    conforms = conforms && !difference;
  }
  if (conforms) {
    out << fmt::format("CONFORMS: {} decisions in {} walks (seeds {} to {}), each as the model says\n", decisions,
                       walks.size(), walks.front().seed, walks.back().seed);
  }
  return conforms ? 0 : 1;
}

}  // namespace proof
