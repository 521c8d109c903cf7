// simrun's command line. The first word chooses a command; anything else is scenarios to replay.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <thread>

#include "harness/explore/command_line.h"
#include "harness/explore/doctor.h"
#include "harness/explore/search/command.h"
#include "harness/explore/shard.h"
#include "harness/explore/workers.h"
#include "harness/proof/conformance.h"
#include "harness/proof/prove.h"
#include "harness/proof/tooth.h"
#include "harness/report/json.h"
#include "harness/report/junit.h"
#include "harness/report/terminal.h"
#include "harness/report/text.h"
#include "harness/scenario/parse.h"
#include "harness/scenario/sample.h"
#include "harness/scenario/schema.h"
#include "harness/services/service_command.h"
#include "harness/sweep/reports.h"
#include "harness/sweep/sweep.h"

namespace fs = std::filesystem;

namespace {

using Words = std::vector<std::string>;
constexpr int kSetupError = 3;

int complain(const std::string& message) {
  std::cerr << "simrun: " << report::sanitised(message) << "\n";
  return kSetupError;
}

int complain(const base::Error& error) {
  return complain(error.message());
}

std::string program_folder() {
  std::error_code code;
  return fs::read_symlink("/proc/self/exe", code).parent_path();
}

// Fixtures lie beside the sources in a checkout and under share/ in a package; commands that play ask for them.
explore::Settings find_settings() {
  explore::Settings settings;
  const fs::path folder = program_folder();
  std::error_code code;
  settings.simrun = fs::read_symlink("/proc/self/exe", code);
  if (fs::exists(folder / "podlaunch", code)) settings.podlaunch = folder / "podlaunch";
  for (const fs::path& place : {folder / "../share/podlaunch/fixtures", folder / "../../../fixtures"}) {
    if (settings.fixtures.empty() && fs::exists(place / "repositories", code))
      settings.fixtures = fs::canonical(place, code);
  }
  return settings;
}

// Files as they are named; folders stand for the scenarios in them.
base::Result<Words> scenario_files(const Words& paths) {
  Words files;
  for (const auto& path : paths) {
    std::error_code code;
    if (!fs::is_directory(path, code)) {
      files.push_back(path);
      continue;
    }
    Words found;
    for (const auto& entry : fs::directory_iterator(path, code)) {
      if (entry.path().extension() == ".yaml") found.push_back(entry.path());
    }
    if (found.empty())
      return base::fail(base::invalid_input(fmt::format("the folder {} holds no scenario (*.yaml)", path)));
    std::ranges::sort(found);
    files.insert(files.end(), found.begin(), found.end());
  }
  return files;
}

base::Result<std::vector<scenario::Scenario>> load_all(const Words& paths) {
  const auto files = scenario_files(paths);
  if (!files) return base::fail(files.error());
  std::vector<scenario::Scenario> scenarios;
  for (const auto& file : *files) {
    auto loaded = scenario::load(file);
    if (!loaded) return base::fail(loaded.error());
    std::ranges::move(*loaded, std::back_inserter(scenarios));
  }
  return scenarios;
}

bool write_report(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (!file) complain(fmt::format("cannot write the report {}: {}", path, std::strerror(errno)));
  return static_cast<bool>(file);
}

int replay(const Words& words) {
  CLI::App app{"Replays scenarios and says PASS (0), FAIL (1), UNKNOWN (2) or SETUP ERROR (3).", "simrun"};
  Words paths;
  std::string junit;
  std::string json;
  std::string variant;
  std::string shard_option;
  int workers = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  bool verbose = false;
  bool show_log = false;
  auto settings = find_settings();
  app.add_option("scenarios", paths, "scenario files, or folders of them")->required();
  app.add_option("-j,--jobs", workers, "worlds side by side (default: one a processor)")->check(CLI::Range(1, 256));
  app.add_option("--variant", variant, "only this instance of a scenario with for-each");
  app.add_option("--shard", shard_option, "only this part of the scenarios, such as 2/4");
  app.add_option("--junit", junit, "write a JUnit report to this file");
  app.add_option("--json", json, "write everything that was recorded to this file");
  app.add_option("--epoch", settings.epoch_seconds, "the virtual clock's beginning, seconds since 1970");
  app.add_option("--real-seconds-max", settings.real_seconds_max,
                 "end a world that takes longer than this in real time");
  explore::add_podlaunch_option(app, settings);
  app.add_flag("--keep", settings.keep, "keep every world's folder, not only those of failures");
  app.add_flag("-v,--verbose", verbose, "the timeline of every scenario, also of those that pass");
  app.add_flag("--log", show_log, "the container's output, with virtual times");
  app.footer(
      "Other commands, each with --help:\n"
      "  check    read scenarios without playing them\n"
      "  list     scenarios with their stories\n"
      "  new      write a scenario to start from\n"
      "  sweep    break a scenario at every call that changes a disk\n"
      "  replay   play the world of a case that a sweep has saved\n"
      "  prove    explore everything that can happen to podlaunch's policy\n"
      "  schema   the JSON Schema of scenarios\n"
      "  explore  play scenarios drawn at random\n"
      "  merge    join the JSON reports of shards\n"
      "  doctor   what this machine allows");
  if (const auto done = explore::parse_words(app, words)) return *done;

  if (const auto found = explore::fixtures_are_there(settings); !found) return complain(found.error());
  auto scenarios = load_all(paths);
  if (!scenarios) return complain(scenarios.error());
  if (!variant.empty()) std::erase_if(*scenarios, [&](const auto& one) { return one.variant != variant; });
  if (scenarios->empty()) return complain(fmt::format("no scenario has the variant {}", variant));

  const auto shard = explore::claim_shard(shard_option);
  if (!shard) return complain(shard.error());
  *scenarios = shard->part_of(*scenarios);

  const bool colour = report::colour_wanted(::isatty(1) != 0, std::getenv("NO_COLOR"));
  const bool in_full = verbose || scenarios->size() == 1;
  const auto show = [&](const oracle::ScenarioResult& result) {
    const bool details = in_full || result.judgement != oracle::Judgement::kPass;
    std::cout << (details ? report::render(result, colour) : report::render_line(result, colour)) << std::flush;
    if (!show_log) return;
    for (const auto& line : result.record.log) {
      std::cout << fmt::format("  {:>10.1f} s  {}\n", std::chrono::duration<double>(line.at).count(),
                               report::sanitised(line.text));
    }
  };
  const auto results = explore::play_all(*scenarios, settings, workers, show);
  if (scenarios->size() > 1) std::cout << report::render_count(results, colour);
  bool written = true;
  if (!junit.empty()) written = write_report(junit, report::to_junit(results)) && written;
  if (!json.empty()) written = write_report(json, report::to_json(results)) && written;
  if (!written) return kSetupError;
  int status = 0;
  // A failure is worse news than a doubt, and a world that could not be built worse than either.
  for (const auto& result : results) status = std::max(status, oracle::exit_status(result.judgement) == 1 ? 1 : 0);
  for (const auto& result : results) {
    if (result.judgement == oracle::Judgement::kSetupError) return kSetupError;
    if (result.judgement == oracle::Judgement::kUnknown && status == 0) status = 2;
  }
  return status;
}

int check(const Words& words) {
  CLI::App app{"Reads scenarios and says what is wrong with them, without playing them.", "simrun check"};
  Words paths;
  app.add_option("scenarios", paths, "scenario files, or folders of them")->required();
  if (const auto done = explore::parse_words(app, words)) return *done;
  const auto scenarios = load_all(paths);
  if (!scenarios) return complain(scenarios.error());
  std::cout << fmt::format("{} scenario{} can be played.\n", scenarios->size(), scenarios->size() == 1 ? "" : "s");
  return 0;
}

int list(const Words& words) {
  CLI::App app{"Lists scenarios with their stories.", "simrun list"};
  Words paths{"scenarios"};
  app.add_option("scenarios", paths, "scenario files, or folders of them (default: scenarios/)");
  if (const auto done = explore::parse_words(app, words)) return *done;
  const auto scenarios = load_all(paths);
  if (!scenarios) return complain(scenarios.error());
  for (const auto& one : *scenarios) {
    std::cout << report::sanitised(
        fmt::format("{}{}\n    {}\n", one.file, one.variant.empty() ? "" : " [" + one.variant + "]", one.story));
  }
  return 0;
}

int doctor(const Words& words) {
  CLI::App app{"Says whether this machine can play scenarios, and what to enable where it cannot.", "simrun doctor"};
  if (const auto done = explore::parse_words(app, words)) return *done;
  const auto settings = find_settings();
  if (const auto found = explore::fixtures_are_there(settings); !found) return complain(found.error());
  bool good = true;
  for (const auto& one : explore::examine_machine(settings)) {
    std::cout << fmt::format("{}  {}: {}\n", one.good ? "ok " : "NO ", one.what, one.detail);
    good = good && one.good;
  }
  return good ? 0 : kSetupError;
}

int schema(const Words& words) {
  CLI::App app{"Prints the JSON Schema of scenarios, for editors.", "simrun schema"};
  if (const auto done = explore::parse_words(app, words)) return *done;
  std::cout << scenario::schema();
  return 0;
}

int make_new(const Words& words) {
  CLI::App app{"Writes a scenario to start from.", "simrun new"};
  std::string path;
  std::string shell;
  app.add_option("file", path, "the scenario's file, such as scenarios/my_case.yaml")->required();
  app.add_option("--shell", shell, "around this start command, a text for bash, instead of podlaunch");
  if (const auto done = explore::parse_words(app, words)) return *done;
  std::error_code code;
  if (fs::exists(path, code)) return complain(path + " is there already, and stays as it is. Choose another name.");
  std::ofstream file(path);
  file << scenario::sample(shell);
  file.close();
  if (!file) return complain(fmt::format("cannot write {}: {}", path, std::strerror(errno)));
  std::cout << fmt::format("{} is written. Play it with: simrun {}\n", path, path);
  return 0;
}

int prove(const Words& words) {
  CLI::App app{"Explores everything that can happen to podlaunch's policy and says PROVEN (0) or REFUTED (1).",
               "simrun prove"};
  std::string tooth;
  std::string scenario_file;
  bool teeth = false;
  bool conformance = false;
  proof::Conformance walks;
  walks.workers = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  auto settings = find_settings();
  auto* tooth_option = app.add_option("--tooth", tooth, "put this mutated policy on trial instead");
  app.add_option("--scenario", scenario_file, "write the path that refutes the tooth as a scenario to this file")
      ->needs(tooth_option);
  app.add_flag("--teeth", teeth, "list the mutated policies");
  auto* conformance_option = app.add_flag(
      "--conformance", conformance, "play seeded walks as worlds and hold podlaunch's decisions against the model's");
  app.add_option("--seed", walks.first_seed, "of the first walk (1)")->needs(conformance_option);
  app.add_option("--walks", walks.walks, "how many (10)")->needs(conformance_option)->check(CLI::Range(1, 100000));
  app.add_option("-j,--jobs", walks.workers, "worlds side by side (default: one a processor)")
      ->check(CLI::Range(1, 256));
  explore::add_podlaunch_option(app, settings);
  if (const auto done = explore::parse_words(app, words)) return *done;
  if (teeth) return proof::list_teeth(std::cout), 0;
  if (!tooth.empty()) return proof::run_tooth(std::cout, tooth, scenario_file);
  if (const auto found = explore::fixtures_are_there(settings); conformance && !found) return complain(found.error());
  if (conformance) return proof::check_conformance(std::cout, walks, settings);
  const bool terminal = ::isatty(2) != 0;
  return proof::run_prove(std::cout, [terminal](const std::string& line) {
    if (terminal) std::cerr << "\r\033[K" << line << std::flush;
  });
}

int sweep(const Words& words) {
  return sweep::sweep_command(words, find_settings());
}

int replay_case(const Words& words) {
  return sweep::replay_command(words, find_settings());
}

int search(const Words& words) {
  return explore::run_explore(words, find_settings());
}

int merge(const Words& words) {
  return explore::run_merge(words, sweep::merge_reports);
}

const std::map<std::string, std::function<int(const Words&)>>& commands() {
  static const std::map<std::string, std::function<int(const Words&)>> table{
      {"prove", prove},
      {"check", check},
      {"doctor", doctor},
      {"list", list},
      {"new", make_new},
      {"schema", schema},
      {"service", services::run_service},
      {"sweep", sweep},
      {"replay", replay_case},
      {"explore", search},
      {"merge", merge},
  };
  return table;
}

// A first word that is neither a file nor far from a command is a slip.
std::optional<std::string> meant(const std::string& word) {
  std::error_code code;
  if (word.starts_with('-') || word.find_first_of("/.") != std::string::npos || fs::exists(word, code)) return {};
  scenario::Names names;
  for (const auto& [name, command] : commands()) {
    if (name != "service") names.push_back(name);
  }
  const std::string near = scenario::nearest(word, names);
  return fmt::format("{} is no command and no file.{}\nRun `simrun --help` for what can be said.", word,
                     near.empty() ? "" : fmt::format(" Did you mean {}?", near));
}

}  // namespace

int main(int count, char** values) {
  Words words(values + 1, values + count);
  if (!words.empty()) {
    const auto command = commands().find(words.front());
    if (command != commands().end()) return command->second({words.begin() + 1, words.end()});
    if (const auto complaint = meant(words.front())) return complain(*complaint);
  }
  return replay(words);
}
