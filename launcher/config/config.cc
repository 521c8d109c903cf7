#include "launcher/config/config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "launcher/base/files.h"
#include "launcher/base/hash.h"
#include "launcher/config/duration.h"
#include "launcher/config/setting.h"
#include "launcher/config/size.h"
#include "launcher/config/sources.h"
#include "launcher/config/words.h"

namespace config {

using base::Result;

static Result<void> split_train_flag(RawValues& values) {
  const auto train = values.find("train");
  if (train == values.end() || train->second.origin != "--train") return {};
  auto words = split_words(train->second.values.front());
  if (!words) return base::fail(words.error());
  train->second.values = std::move(*words);
  return {};
}

static Result<Config> apply(const RawValues& values) {
  Config config;
  for (const auto& [name, raw] : values) {
    auto applied = find_setting(name)->apply(config, raw.values);
    if (applied) continue;
    base::Error error = applied.error();
    error.detail = fmt::format("{}: {}", raw.origin, error.detail);
    return base::fail(error);
  }
  if (config.done_when.empty()) config.done_when.push_back(DoneWhen{});
  return config;
}

static std::string file_of(const CommandLine& line, const Environment& environment) {
  const auto variable = environment.find("PODLAUNCH_CONFIG");
  return line.config_file.empty() && variable != environment.end() ? variable->second : line.config_file;
}

std::string file_of(const std::vector<std::string>& arguments, const Environment& environment) {
  const auto line = read_command_line(arguments);
  return line ? file_of(*line, environment) : "";
}

OnEnd on_failure_of(const std::vector<std::string>& arguments, const Environment& environment) {
  const std::string flag = "--on-failure";
  const auto variable = environment.find("PODLAUNCH_ON_FAILURE");
  std::string value = variable == environment.end() ? "" : variable->second;
  const auto end = std::find(arguments.begin(), arguments.end(), "--");
  for (auto word = arguments.begin(); word != end; ++word) {
    if (*word == flag && word + 1 != end) value = *(word + 1);
    if (word->starts_with(flag + "=")) value = word->substr(flag.size() + 1);
  }
  return value == "exit" ? OnEnd::kExit : OnEnd::kHold;
}

Result<Invocation> understand(const std::vector<std::string>& arguments, const Environment& environment,
                              const ReadFile& read_file) {
  auto line = read_command_line(arguments);
  if (!line) return base::fail(line.error());
  Invocation invocation{.command = line->command,
                        .config = {},
                        .json = line->json,
                        .deep = line->deep,
                        .full = line->full,
                        .follow = line->follow,
                        .attempt = line->attempt,
                        .path = line->path,
                        .help = line->help};
  if (invocation.command == Command::kHelp || invocation.command == Command::kVersion) return invocation;

  if (auto split = split_train_flag(line->values); !split) return base::fail(split.error());
  RawValues values = std::move(line->values);
  auto variables = read_variables(environment);
  if (!variables) return base::fail(variables.error());
  values.merge(*variables);
  const std::string file = file_of(*line, environment);
  if (!file.empty()) {
    auto yaml = read_yaml(file, read_file ? read_file(file) : base::read_file(file));
    if (!yaml) return base::fail(yaml.error());
    values.merge(*yaml);
  }
  auto config = apply(values);
  if (!config) return base::fail(config.error());
  invocation.config = std::move(*config);
  return invocation;
}

std::string run_id(const Config& config) {
  if (!config.run.empty()) return config.run;
  base::Hash hash;
  hash.add(config.repo).add(config.ref);
  for (const std::string& word : config.train) hash.add(word);
  return "run-" + hash.hex().substr(0, 12);
}

static std::string describe_done(const DoneWhen& done) {
  switch (done.kind) {
    case DoneWhen::Kind::kExitCode:
      return fmt::format("exit:{}", done.exit_code);
    case DoneWhen::Kind::kFile:
      return "file:" + done.pattern;
    case DoneWhen::Kind::kLog:
      return "log:" + done.pattern;
  }
  return {};
}

static std::string on_complete_name(OnComplete action) {
  switch (action) {
    case OnComplete::kHold:
      return {};
    case OnComplete::kExit:
      return "exit";
    case OnComplete::kStopPod:
      return "stop-pod";
    case OnComplete::kTerminatePod:
      return "terminate-pod";
  }
  return {};
}

// The path of a web hook is its password.
std::string notify_name(const std::string& target) {
  const std::size_t scheme = target.find("://");
  if (!target.starts_with("http") || scheme == std::string::npos) return target;
  const std::size_t path = target.find('/', scheme + 3);
  const std::string authority = target.substr(scheme + 3, path == std::string::npos ? path : path - scheme - 3);
  const std::size_t at = authority.rfind('@');
  return target.substr(0, scheme + 3) + authority.substr(at == std::string::npos ? 0 : at + 1) + "/…";
}

std::string describe(const Config& config) {
  std::string text;
  const auto line = [&text](std::string_view name, const std::string& value) {
    if (!value.empty()) text += fmt::format("  {:<16} {}\n", name, value);
  };
  line("run", run_id(config));
  line("repo", config.repo);
  line("ref", config.ref.empty() ? "(the repository's default branch)" : config.ref);
  line("checkout", config.checkout.string());
  for (const std::string& step : config.setup) line("setup", step);
  for (const std::string& name : config.secrets) line("secret", name);
  for (const std::string& name : config.optional_secrets) line("secret-optional", name);
  for (const std::string& pattern : config.checkpoints) line("checkpoints", pattern);
  line("state", config.state.string());
  for (const DoneWhen& done : config.done_when) line("done-when", describe_done(done));
  if (config.max_attempts) line("max-attempts", std::to_string(*config.max_attempts));
  if (config.max_time) line("max-hours", format_duration(*config.max_time));
  line("on-complete", on_complete_name(config.on_complete));
  line("publish", config.publish);
  for (const std::string& target : config.notify) line("notify", notify_name(target));
  if (config.max_cost) line("max-cost", fmt::format("{:g}", *config.max_cost));
  if (config.price) line("price", fmt::format("{:g}", *config.price));
  if (config.gpus) line("gpus", std::to_string(*config.gpus));
  if (config.gpus_min) line("gpus-min", std::to_string(*config.gpus_min));
  line("gpu-probe", config.gpu_probe);
  if (config.torchrun) line("torchrun", "yes");
  for (const std::string& command : config.alongside) line("alongside", command);
  for (const auto& [name, value] : config.environment) line("env", name);
  if (config.depth) line("depth", std::to_string(*config.depth));
  line("git-token-env", config.git_token_variable);
  line("ssh-key", config.ssh_key.string());
  line("ssh-known-hosts", config.ssh_known_hosts.string());
  line("netrc", config.netrc.string());
  line("ca-bundle", config.ca_bundle.string());
  line("quarantine-max", format_size(config.quarantine_max));
  if (config.lease_time) line("lease-time", format_duration(*config.lease_time));
  line("train", fmt::format("{}", fmt::join(config.train, " ")));
  return text;
}

}  // namespace config
