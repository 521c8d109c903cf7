#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <memory>

#include "launcher/config/nearest.h"
#include "launcher/config/setting.h"
#include "launcher/config/sources.h"

namespace config {

using base::Result;
using Words = std::vector<std::string>;

static const std::vector<std::pair<std::string, Command>> kCommands = {
    {"run", Command::kRun},         {"check", Command::kCheck},   {"status", Command::kStatus},
    {"explain", Command::kExplain}, {"resume", Command::kResume}, {"logs", Command::kLogs},
    {"doctor", Command::kDoctor},   {"repair", Command::kRepair}, {"help", Command::kHelp},
    {"version", Command::kVersion}};

static const char* const kAbout =
    "podlaunch: brings a checkout into a usable state, installs it, runs its training and never loops.\n"
    "\n"
    "  podlaunch [run] [FLAGS] -- COMMAND...   bootstrap, train, supervise; the container's start command\n"
    "  podlaunch check [FLAGS] -- COMMAND...   say whether the configuration can be used; touches nothing\n"
    "  podlaunch explain [FLAGS] -- COMMAND... say what a boot would do now; changes nothing\n"
    "  podlaunch status [--json]               what the run is doing and has done\n"
    "  podlaunch logs [--follow] [--attempt N] what setup and training have printed\n"
    "  podlaunch resume                        release a hold\n"
    "  podlaunch doctor [PATH] [--deep|--full] look at a checkout; changes nothing\n"
    "  podlaunch repair [PATH]                 mend a checkout; keeps everything of yours\n"
    "\n"
    "Every flag is also a variable (PODLAUNCH_MAX_HOURS) and a key in the file of --config (max-hours).";

static Result<Command> take_command(Words& words) {
  if (words.empty() || words.front().starts_with("-")) return Command::kRun;
  const std::string word = words.front();
  words.erase(words.begin());
  Words names;
  for (const auto& [name, command] : kCommands) {
    if (name == word) return command;
    names.push_back(name);
  }
  const std::string suggestion = nearest(word, names);
  return base::fail(base::invalid_input(
      fmt::format("unknown command \"{}\"", word),
      suggestion.empty() ? "podlaunch --help lists the commands. A training command goes after \"--\"."
                         : fmt::format("Did you mean \"{}\"? A training command goes after \"--\".", suggestion)));
}

// Flags that hold no setting of a run.
struct Extras {
  std::string config_file;
  std::string path;
  bool json = false;
  bool deep = false;
  bool full = false;
  bool follow = false;
  std::optional<std::string> attempt;
  bool help = false;
  bool version = false;
};

static void add_extras(CLI::App& app, Extras& extras, Command command) {
  app.set_help_flag();
  app.add_flag("-h,--help", extras.help, "this text");
  app.add_flag("--version", extras.version, "the version");
  app.add_option("--config", extras.config_file, "a YAML file with the same names")->type_name("FILE");
  app.add_flag("--json", extras.json, "for status, doctor and repair: machine-readable");
  app.add_flag("--deep", extras.deep, "for doctor: check every file, and all that the references lead to");
  app.add_flag("--full", extras.full, "for doctor: read and hash every object, too");
  app.add_flag("-f,--follow", extras.follow, "for logs: go on as more is printed");
  app.add_option("--attempt", extras.attempt, "for logs: this one only")->type_name("N");
  if (command == Command::kDoctor || command == Command::kRepair) app.add_option("path", extras.path, "the checkout");
}

static void add_settings(CLI::App& app, std::map<std::string, Words>& given) {
  for (const Setting& setting : settings()) {
    CLI::Option* option = nullptr;
    if (setting.form == Setting::Form::kSwitch) {
      option = app.add_flag_callback(
          "--" + setting.name, [&given, name = setting.name] { given[name] = {"true"}; }, setting.help);
    } else {
      option = app.add_option("--" + setting.name, given[setting.name], setting.help)->type_name(setting.value_name);
      // One value for each time it is given, however the value begins: a regular expression, a shell command.
      option->expected(1)->allow_extra_args(false);
      option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    }
  }
}

static base::Error unknown_flag(const std::string& word) {
  Words names{"--config", "--json", "--deep", "--full", "--follow", "--attempt", "--help", "--version"};
  for (const std::string& name : setting_names()) names.push_back("--" + name);
  if (!word.starts_with("-")) {
    return base::invalid_input(fmt::format("\"{}\" belongs to no flag", word),
                               "The training command goes after \"--\".");
  }
  const std::string suggestion = nearest(word.substr(0, word.find('=')), names);
  return base::invalid_input(
      fmt::format("unknown flag {}", word.substr(0, word.find('='))),
      suggestion.empty() ? "podlaunch --help lists all flags." : fmt::format("Did you mean {}?", suggestion));
}

static Result<int> attempt_number(const std::string& text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size() && number > 0) return number;
  return base::fail(base::invalid_input(fmt::format("--attempt: \"{}\" is the number of no attempt", text),
                                        "They are counted from 1; `podlaunch status` says how many there were."));
}

static Result<RawValues> raw_values(std::map<std::string, Words> given) {
  RawValues raw;
  for (auto& [name, values] : given) {
    if (values.empty()) continue;
    const Setting& setting = *find_setting(name);
    const bool single = setting.form == Setting::Form::kOne || setting.form == Setting::Form::kWords;
    if (single && values.size() > 1) {
      return base::fail(
          base::invalid_input(fmt::format("--{} is given {} times", name, values.size()), "Give it once."));
    }
    raw[name] = RawValue{std::move(values), "--" + name};
  }
  return raw;
}

Result<CommandLine> read_command_line(const Words& arguments) {
  // What follows "--" is the training's and never ours to parse.
  const auto separator = std::find(arguments.begin(), arguments.end(), "--");
  Words words(arguments.begin(), separator);
  const auto command = take_command(words);
  if (!command) return base::fail(command.error());
  CommandLine line;
  line.command = *command;

  CLI::App app(kAbout, "podlaunch");
  Extras extras;
  std::map<std::string, Words> given;
  add_extras(app, extras, *command);
  add_settings(app, given);
  app.allow_extras();
  try {
    std::reverse(words.begin(), words.end());  // CLI11 takes them from the back
    app.parse(words);
  } catch (const CLI::ParseError& error) {
    return base::fail(base::invalid_input(error.what(), "podlaunch --help explains the flags."));
  }
  if (const Words left = app.remaining(); !left.empty()) return base::fail(unknown_flag(left.front()));
  if (extras.help) line.command = Command::kHelp;
  if (extras.version) line.command = Command::kVersion;
  if (line.command == Command::kHelp) line.help = app.help();

  auto values = raw_values(std::move(given));
  if (!values) return base::fail(values.error());
  line.values = std::move(*values);
  if (separator != arguments.end() && separator + 1 != arguments.end()) {
    if (line.values.contains("train"))
      return base::fail(base::invalid_input("the training command is given twice", "Use either --train or \"--\"."));
    line.values["train"] = RawValue{Words(separator + 1, arguments.end()), "the command after --"};
  }
  line.config_file = extras.config_file;
  line.json = extras.json;
  line.deep = extras.deep;
  line.full = extras.full;
  line.follow = extras.follow;
  if (extras.attempt) {
    const auto attempt = attempt_number(*extras.attempt);
    if (!attempt) return base::fail(attempt.error());
    line.attempt = *attempt;
  }
  line.path = extras.path;
  return line;
}

}  // namespace config
