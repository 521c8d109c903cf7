#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <regex>
#include <thread>

#include "harness/explore/command_line.h"
#include "harness/report/json.h"
#include "harness/report/terminal.h"
#include "harness/report/text.h"
#include "harness/scenario/parse.h"
#include "harness/sweep/persistence.h"
#include "harness/sweep/reports.h"
#include "harness/sweep/sweep.h"
#include "harness/witness/strace.h"

namespace sweep {

namespace fs = std::filesystem;

static constexpr int kSetupError = 3;

namespace {

volatile bool interrupted = false;

void note_interrupt(int) {
  interrupted = true;
}

int complain(const std::string& message) {
  std::cerr << "simrun: " << report::sanitised(message) << "\n";
  return kSetupError;
}

bool write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (!file) complain("cannot write " + path);
  return static_cast<bool>(file);
}

std::string file_name(const Swept& swept, std::size_t number) {
  std::string name = fs::path(swept.file).stem().string();
  if (!swept.variant.empty()) name += "-" + swept.variant;
  for (char& letter : name) {
    if (std::isalnum(static_cast<unsigned char>(letter)) == 0 && letter != '-') letter = '_';
  }
  // Cases of several machines are gathered in one place.
  if (swept.outcome.part.count > 1) name += fmt::format("-part{}", swept.outcome.part.index + 1);
  return fmt::format("{}-{:03}.json", name, number + 1);
}

// At most a hundred: they tend to have one cause.
void save_cases(Swept& swept, std::string& folder) {
  constexpr std::size_t kCasesMax = 100;
  if (swept.outcome.failures.empty()) return;
  std::error_code code;
  if (folder.empty()) {
    std::string pattern = fs::temp_directory_path(code) / "simrun-cases-XXXXXX";
    if (::mkdtemp(pattern.data()) != nullptr) folder = pattern;
  }
  fs::create_directories(folder, code);
  for (std::size_t i = 0; i < std::min(kCasesMax, swept.outcome.failures.size()); ++i) {
    const std::string path = fs::path(folder) / file_name(swept, i);
    const Failure& failure = swept.outcome.failures[i];
    if (write_file(path, to_json(Case{swept.file, swept.variant, failure.fault}, failure.reason)))
      swept.cases.push_back(path);
  }
}

template <class Value>
void take_list(const std::vector<std::string>& texts,
               const std::function<std::optional<Value>(const std::string&)>& find,
               const std::function<void(Value)>& use, const std::string& what, const std::string& known,
               std::string& problem) {
  for (const auto& text : texts) {
    if (const auto found = find(text)) {
      use(*found);
    } else if (problem.empty()) {
      problem = fmt::format("there is no {} \"{}\"; there are {}", what, text, known);
    }
  }
}

std::string known_kinds() {
  std::string text;
  for (const Kind kind : kAllKinds) text += (text.empty() ? "" : ", ") + std::string(name(kind));
  return text;
}

std::string known_models() {
  std::string text;
  for (const ModelKind model : kAllModels) text += (text.empty() ? "" : ", ") + std::string(name(model));
  return text;
}

}  // namespace

int sweep_command(const std::vector<std::string>& words, const explore::Settings& settings) {
  CLI::App app{
      "Plays a scenario once, then breaks it at every call that changes a disk and at every request of the network, in "
      "every way, and asks all oracles each time. PASS (0), FAIL (1), UNKNOWN (2) or SETUP ERROR (3).",
      "simrun sweep"};
  std::vector<std::string> files;
  std::vector<std::string> kinds;
  std::vector<std::string> models;
  std::string variant, junit, json, cases, budget, witness, shard;
  Options options;
  options.workers = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  std::size_t points = 0;
  std::size_t worlds = 0;
  std::size_t doubles = 0;
  app.add_option("scenarios", files, "scenario files")->required();
  app.add_option("--kinds", kinds, "of faults: " + known_kinds() + " (default: all)")->delimiter(',');
  app.add_option("--models", models, "of power cuts: " + known_models() + " (default: all)")->delimiter(',');
  app.add_option("--points", points, "at most this many fault points, drawn by the seed");
  app.add_option("--at", options.at, "only fault points whose address this regular expression finds");
  app.add_option("--worlds", worlds, "at most this many worlds, drawn by the seed and spread over the kinds");
  app.add_option("--doubles", doubles, "at most this many pairs of kills (default: one for each kill)");
  app.add_option("--places", options.places, "within each answer of a service, for faults of the network")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  app.add_option("--budget", options.budget_seconds, "seconds after which no further world begins");
  app.add_option("--seed", options.seed, "of what is drawn")->capture_default_str();
  app.add_option("-j,--jobs", options.workers, "worlds side by side (default: one a processor)")
      ->check(CLI::Range(1, 256));
  app.add_option("--variant", variant, "only this instance of a scenario with for-each");
  app.add_option("--world-seconds-max", options.world_seconds_max, "end a world that takes longer in real time");
  app.add_option("--shard", shard, "only this part of the fault points, such as 2/4; simrun merge joins the reports");
  app.add_option("--witness", witness, "let this program count the calls of every boot, too")
      ->check(CLI::IsMember({"strace"}));
  app.add_option("--cases", cases, "folder in which a case is saved for each failure (default: a new one in /tmp)");
  app.add_option("--junit", junit, "write a JUnit report to this file");
  app.add_option("--json", json, "write all counts and failures to this file");
  if (const auto done = explore::parse_words(app, words)) return *done;
  if (const auto found = explore::fixtures_are_there(settings); !found) return complain(found.error().message());

  std::string problem;
  if (!kinds.empty()) options.kinds.clear();
  take_list<Kind>(
      kinds, [](const std::string& text) { return find_kind(text); }, [&](Kind kind) { options.kinds.insert(kind); },
      "kind of fault", known_kinds(), problem);
  take_list<ModelKind>(
      models, [](const std::string& text) { return find_model(text); },
      [&](ModelKind model) { options.models.insert(std::string(name(model))); }, "persistence model", known_models(),
      problem);
  try {
    const std::regex pattern(options.at);
  } catch (const std::regex_error&) {
    problem = fmt::format("--at is no regular expression: {}", options.at);
  }
  if (!problem.empty()) return complain(problem);
  if (!witness.empty()) {
    const auto found = witness::find_strace();
    if (!found) return complain(found.error().message());
    options.strace = *found;
  }
  auto claimed = explore::claim_shard(shard);
  if (!claimed) return complain(claimed.error().message());
  options.shard = *claimed;
  if (points > 0) options.points = points;
  if (worlds > 0) options.worlds = worlds;
  if (app.count("--doubles") > 0) options.doubles = doubles;

  struct sigaction action {};
  action.sa_handler = note_interrupt;
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  const bool terminal = ::isatty(2) != 0;
  std::vector<Swept> all;
  for (const auto& file : files) {
    auto scenarios = scenario::load(file);
    if (!scenarios) return complain(scenarios.error().message());
    for (const auto& one : *scenarios) {
      if (interrupted || (!variant.empty() && one.variant != variant)) continue;
      Swept swept{one.name, one.file, one.variant, {}, {}};
      const auto show = [&](const Outcome& outcome) {
        if (terminal) std::cerr << "\r\033[K" << progress_line(one.name, outcome) << std::flush;
      };
      swept.outcome = supervise(one, settings, options, show, interrupted);
      if (terminal) std::cerr << "\r\033[K";
      save_cases(swept, cases);
      std::cout << render(swept, interrupted) << std::flush;
      all.push_back(std::move(swept));
    }
  }
  if (all.empty()) return complain("no scenario has the variant " + variant);
  if (!junit.empty() && !write_file(junit, to_junit(all))) return kSetupError;
  if (!json.empty() && !write_file(json, to_json(all))) return kSetupError;
  return exit_status(all);
}

int replay_command(const std::vector<std::string>& words, const explore::Settings& settings) {
  CLI::App app{"Plays the world of a saved case again. PASS (0), FAIL (1), UNKNOWN (2) or SETUP ERROR (3).",
               "simrun replay"};
  std::string path;
  bool show_log = false;
  app.add_option("case", path, "a case as `simrun sweep` saved it")->required();
  app.add_flag("--log", show_log, "the container's output, with virtual times");
  if (const auto done = explore::parse_words(app, words)) return *done;
  if (const auto found = explore::fixtures_are_there(settings); !found) return complain(found.error().message());
  const auto one = load_case(path);
  if (!one) return complain(one.error().message());
  auto scenarios = scenario::load(one->file);
  if (!scenarios) return complain(scenarios.error().message());
  std::erase_if(*scenarios, [&](const auto& scenario) { return scenario.variant != one->variant; });
  if (scenarios->empty()) return complain(fmt::format("{} has no variant {}", one->file, one->variant));

  Options options;
  options.only = one->fault;
  options.seed = one->fault.seed;
  std::string pattern = fs::temp_directory_path() / "simrun-replay-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) return complain("cannot create a folder in " + pattern);
  options.keep_result = pattern + "/result.json";
  const Outcome outcome = supervise(
      scenarios->front(), settings, options, [](const Outcome&) {}, interrupted);
  std::ifstream file(options.keep_result);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  std::error_code ignored;  // a file in /tmp that could not be removed
  fs::remove_all(pattern, ignored);
  std::cout << one->fault.text() << "\n\n";
  if (!outcome.error.empty()) return complain(outcome.error);
  if (!outcome.applies) {
    std::cout << "UNKNOWN  this case no longer applies: the scenario does not come to that fault point any more. Sweep "
                 "again for the faults of the present code.\n";
    return 2;
  }
  auto result = report::from_json(text);
  if (!result) return complain(outcome.failures.empty() ? result.error().message() : outcome.failures.front().reason);
  result->replay = "simrun replay " + path;
  std::cout << report::render(*result, report::colour_wanted(::isatty(1) != 0, std::getenv("NO_COLOR")));
  if (show_log) {
    for (const auto& line : result->record.log)
      std::cout << fmt::format("  {:>10.1f} s  {}\n", std::chrono::duration<double>(line.at).count(),
                               report::sanitised(line.text));
  }
  return oracle::exit_status(result->judgement);
}

}  // namespace sweep
