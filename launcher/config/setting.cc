#include "launcher/config/setting.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <regex>

#include "launcher/config/duration.h"
#include "launcher/config/nearest.h"
#include "launcher/config/size.h"

namespace config {

using Values = std::vector<std::string>;
using base::Result;

static Result<void> refuse(std::string detail, std::string remedy = {}) {
  return base::fail(base::invalid_input(std::move(detail), std::move(remedy)));
}

static auto text(std::string Config::*member) {
  return [member](Config& config, const Values& values) -> Result<void> {
    config.*member = values.front();
    return {};
  };
}

static auto texts(std::vector<std::string> Config::*member) {
  return [member](Config& config, const Values& values) -> Result<void> {
    config.*member = values;
    return {};
  };
}

static auto absolute_path(std::filesystem::path Config::*member) {
  return [member](Config& config, const Values& values) -> Result<void> {
    const std::filesystem::path path = std::filesystem::path(values.front()).lexically_normal();
    if (!path.is_absolute()) {
      return refuse(fmt::format("\"{}\" is not an absolute path", values.front()),
                    "Write it from the root: /workspace/…");
    }
    config.*member = path.has_filename() || path == "/" ? path : path.parent_path();
    return {};
  };
}

static auto number(std::optional<int> Config::*member, int smallest) {
  return [member, smallest](Config& config, const Values& values) -> Result<void> {
    const std::string& value = values.front();
    int parsed = 0;
    const auto [end, code] = std::from_chars(value.data(), value.data() + value.size(), parsed);
    if (code != std::errc() || end != value.data() + value.size() || parsed < smallest) {
      return refuse(fmt::format("\"{}\" is not a whole number of at least {}", value, smallest));
    }
    config.*member = parsed;
    return {};
  };
}

static auto amount(std::optional<double> Config::*member) {
  return [member](Config& config, const Values& values) -> Result<void> {
    const std::string& value = values.front();
    double parsed = 0;
    const auto [end, code] = std::from_chars(value.data(), value.data() + value.size(), parsed);
    constexpr double kTooMuch = 1e9;
    if (code != std::errc() || end != value.data() + value.size() || !(parsed > 0) || parsed > kTooMuch) {
      return refuse(fmt::format("\"{}\" is not an amount above 0, such as 2.39", value));
    }
    config.*member = parsed;
    return {};
  };
}

static auto duration(std::optional<Seconds> Config::*member, Seconds unit = Seconds(1)) {
  return [member, unit](Config& config, const Values& values) -> Result<void> {
    auto parsed = parse_duration(values.front(), unit);
    if (!parsed) return base::fail(parsed.error());
    config.*member = *parsed;
    return {};
  };
}

static Result<void> apply_network_timeout(Config& config, const Values& values) {
  auto parsed = parse_duration(values.front());
  if (!parsed) return base::fail(parsed.error());
  if (parsed->count() < 1) return refuse("a remote needs at least a second to answer");
  config.network_timeout = *parsed;
  return {};
}

static Result<void> apply_lease_time(Config& config, const Values& values) {
  auto parsed = parse_duration(values.front());
  if (!parsed) return base::fail(parsed.error());
  if (parsed->count() < 1) return refuse("a lease needs at least a second");
  config.lease_time = *parsed;
  return {};
}

static Result<void> apply_quarantine_max(Config& config, const Values& values) {
  auto parsed = parse_size(values.front());
  if (!parsed) return base::fail(parsed.error());
  config.quarantine_max = *parsed;
  return {};
}

template <class Choice>
static auto choice(Choice Config::*member, std::vector<std::pair<std::string, Choice>> choices) {
  return [member, choices = std::move(choices)](Config& config, const Values& values) -> Result<void> {
    std::vector<std::string> names;
    for (const auto& [name, value] : choices) {
      if (name == values.front()) {
        config.*member = value;
        return {};
      }
      names.push_back(name);
    }
    return refuse(fmt::format("\"{}\" is none of {}", values.front(), fmt::join(names, ", ")));
  };
}

static Result<void> apply_hold_for(Config& config, const Values& values) {
  if (values.front() == "ever") {
    config.hold_for = Seconds::max();
    return {};
  }
  return duration(&Config::hold_for)(config, values);
}

// Nothing that would be sent to a shell by mistake: "http:/host" or "ftp://…" is neither a URL nor a command.
static Result<void> apply_notify(Config& config, const Values& values) {
  for (const std::string& value : values) {
    const std::size_t scheme = value.find("://");
    const bool web = value.starts_with("https://") || value.starts_with("http://");
    if (value.empty()) return refuse("is empty", "Give a URL or a command.");
    if (!web && scheme != std::string::npos && value.find_first_of(" \t'\"") > scheme)
      return refuse(fmt::format("\"{}\" is neither an http(s) URL nor a command", value));
  }
  config.notify = values;
  return {};
}

static Result<void> check_regex(const std::string& pattern) {
  try {
    const std::regex compiled(pattern, std::regex::icase);
    if (pattern.size() > 1000) return refuse("the regular expression is longer than 1000 letters");
    return {};
  } catch (const std::regex_error& error) {
    return refuse(fmt::format("\"{}\" is not a regular expression: {}", pattern, error.what()));
  }
}

static Result<void> apply_step_regex(Config& config, const Values& values) {
  if (auto checked = check_regex(values.front()); !checked) return checked;
  if (std::regex(values.front()).mark_count() < 1) {
    return refuse(fmt::format("\"{}\" has no group for the number", values.front()),
                  "Put the number in parentheses: step (\\d+).");
  }
  config.step_regex = values.front();
  return {};
}

static Result<DoneWhen> parse_done_when(const std::string& value) {
  const std::size_t colon = value.find(':');
  const std::string kind = value.substr(0, colon);
  const std::string rest = colon == std::string::npos ? "" : value.substr(colon + 1);
  DoneWhen done;
  done.pattern = rest;
  if (kind == "exit") {
    done.pattern.clear();
    const auto [end, code] = std::from_chars(rest.data(), rest.data() + rest.size(), done.exit_code);
    if (code == std::errc() && end == rest.data() + rest.size() && done.exit_code >= 0 && done.exit_code <= 255)
      return done;
  } else if (kind == "file" && !rest.empty()) {
    done.kind = DoneWhen::Kind::kFile;
    return done;
  } else if (kind == "log" && !rest.empty()) {
    if (auto checked = check_regex(rest); !checked) return base::fail(checked.error());
    done.kind = DoneWhen::Kind::kLog;
    return done;
  }
  return base::fail(base::invalid_input(fmt::format("\"{}\" does not say when a run is done", value),
                                        "Write exit:0, file:GLOB or log:REGEX."));
}

static Result<void> apply_done_when(Config& config, const Values& values) {
  config.done_when.clear();
  for (const std::string& value : values) {
    auto done = parse_done_when(value);
    if (!done) return base::fail(done.error());
    config.done_when.push_back(*done);
  }
  return {};
}

static bool is_variable_name(std::string_view name) {
  const auto allowed = [](char letter) {
    return std::isalnum(static_cast<unsigned char>(letter)) != 0 || letter == '_';
  };
  return !name.empty() && std::isdigit(static_cast<unsigned char>(name.front())) == 0 &&
         std::all_of(name.begin(), name.end(), allowed);
}

static Result<void> apply_environment(Config& config, const Values& values) {
  config.environment.clear();
  for (const std::string& value : values) {
    const std::size_t equals = value.find('=');
    if (equals == std::string::npos || !is_variable_name(value.substr(0, equals))) {
      return refuse(fmt::format("\"{}\" is not of the form NAME=VALUE", value));
    }
    config.environment.emplace_back(value.substr(0, equals), value.substr(equals + 1));
  }
  return {};
}

static auto variable_names(std::vector<std::string> Config::*member) {
  return [member](Config& config, const Values& values) -> Result<void> {
    for (const std::string& value : values) {
      if (is_variable_name(value)) continue;
      // Perhaps the secret itself: it is not repeated here.
      return refuse("a secret is named by its variable, such as WANDB_API_KEY; what was given is no variable's name");
    }
    config.*member = values;
    return {};
  };
}

static Result<void> apply_git_token(Config& config, const Values& values) {
  // Perhaps the token itself: it is not repeated here.
  if (!is_variable_name(values.front()))
    return refuse("a token is named by its variable, such as GITHUB_TOKEN; what was given is no variable's name");
  config.git_token_variable = values.front();
  return {};
}

static Result<void> apply_run(Config& config, const Values& values) {
  const std::string& name = values.front();
  const auto allowed = [](char letter) {
    return std::isalnum(static_cast<unsigned char>(letter)) != 0 || letter == '-' || letter == '_' || letter == '.';
  };
  if (name.empty() || name.size() > 100 || name.front() == '.' || name.front() == '-' ||
      !std::all_of(name.begin(), name.end(), allowed)) {
    return refuse(fmt::format("\"{}\" cannot name a run", name), "Use letters, digits, '-', '_' and '.', at most 100.");
  }
  config.run = name;
  return {};
}

static auto truth(bool Config::*member) {
  return [member](Config& config, const Values& values) -> Result<void> {
    config.*member = values.front() == "true";
    return {};
  };
}

static Result<void> apply_alongside(Config& config, const Values& values) {
  const bool refuses = std::find(values.begin(), values.end(), "none") != values.end();
  if (refuses && values.size() > 1) return refuse("none is given beside a command", "Give one or the other.");
  if (std::find(values.begin(), values.end(), "") != values.end()) return refuse("a command is empty");
  config.alongside = values;
  return {};
}

static std::vector<Setting> make_settings() {
  using Form = Setting::Form;
  return {
      {"repo", Form::kOne, "URL", "the repository to train from", text(&Config::repo)},
      {"ref", Form::kOne, "NAME", "branch, tag or commit; default: the repository's own", text(&Config::ref)},
      {"checkout", Form::kOne, "DIR", "where the work tree lies", absolute_path(&Config::checkout)},
      {"setup", Form::kMany, "COMMAND", "run in the checkout before training, when its inputs changed",
       texts(&Config::setup)},
      {"secret", Form::kMany, "NAME", "a variable that must be set", variable_names(&Config::secrets)},
      {"secret-optional", Form::kMany, "NAME", "a variable to keep out of logs if set",
       variable_names(&Config::optional_secrets)},
      {"checkpoints", Form::kMany, "GLOB", "where the training writes checkpoints", texts(&Config::checkpoints)},
      {"run", Form::kOne, "NAME", "the run's name; default: from repo, ref and training command", apply_run},
      {"state", Form::kOne, "DIR", "where runs are remembered; default: the platform's volume",
       absolute_path(&Config::state)},
      {"done-when", Form::kMany, "CONDITION", "exit:CODE, file:GLOB or log:REGEX; default: exit:0", apply_done_when},
      {"max-attempts", Form::kOne, "N", "attempts over all boots", number(&Config::max_attempts, 1)},
      {"max-hours", Form::kOne, "HOURS", "training time over all attempts", duration(&Config::max_time, Seconds(3600))},
      {"hold-for", Form::kOne, "TIME",
       "how long a hold waits for you before the pod is stopped, or ever; default: 30min, where the provider is known",
       apply_hold_for},
      {"on-complete", Form::kOne, "ACTION", "after the run is finished: hold, exit, stop-pod or terminate-pod",
       choice(&Config::on_complete, {{"hold", OnComplete::kHold},
                                     {"exit", OnComplete::kExit},
                                     {"stop-pod", OnComplete::kStopPod},
                                     {"terminate-pod", OnComplete::kTerminatePod}})},
      {"publish", Form::kOne, "COMMAND", "run once the run is finished, until it succeeds, before the pod is stopped",
       text(&Config::publish)},
      {"notify", Form::kMany, "URL|COMMAND", "told of hold, done and preempted; a URL gets JSON, a command variables",
       apply_notify},
      {"provider", Form::kOne, "runpod|none", "whose API can stop the pod; default: by the environment",
       choice(&Config::provider, {{"runpod", Provider::kRunpod}, {"none", Provider::kNone}})},
      {"max-cost", Form::kOne, "AMOUNT", "what all boots of the run may cost; needs --price",
       amount(&Config::max_cost)},
      {"price", Form::kOne, "AMOUNT", "what an hour of this pod costs", amount(&Config::price)},
      {"on-failure", Form::kOne, "hold|exit", "when a person is needed",
       choice(&Config::on_failure, {{"hold", OnEnd::kHold}, {"exit", OnEnd::kExit}})},
      {"update", Form::kOne, "MODE", "always, until-checkpoint, once-per-run or never",
       choice(&Config::update, {{"always", UpdateMode::kAlways},
                                {"until-checkpoint", UpdateMode::kUntilCheckpoint},
                                {"once-per-run", UpdateMode::kOncePerRun},
                                {"never", UpdateMode::kNever}})},
      {"local-changes", Form::kOne, "keep|set-aside", "what to do with local edits that collide with upstream",
       choice(&Config::local_changes, {{"keep", LocalChanges::kKeep}, {"set-aside", LocalChanges::kSetAside}})},
      {"gpus", Form::kOne, "N", "GPUs that must be there; default: RUNPOD_GPU_COUNT", number(&Config::gpus, 0)},
      {"gpus-min", Form::kOne, "N", "train on as few as this when others are broken; default: all of them",
       number(&Config::gpus_min, 1)},
      {"gpu-probe", Form::kOne, "COMMAND", "run before training for each GPU, with only that one visible",
       text(&Config::gpu_probe)},
      {"torchrun", Form::kSwitch, "", "start the training with torchrun, on all GPUs and nodes of the cluster",
       truth(&Config::torchrun)},
      {"alongside", Form::kMany, "COMMAND", "kept running beside everything; default: /start.sh; none: nothing",
       apply_alongside},
      {"step-regex", Form::kOne, "REGEX", "finds the step in the training's output", apply_step_regex},
      {"stall-timeout", Form::kOne, "TIME", "end an attempt that neither prints nor saves for so long",
       duration(&Config::stall_timeout)},
      {"grace", Form::kOne, "TIME", "from the platform's SIGTERM to its SIGKILL", duration(&Config::grace)},
      {"env", Form::kMany, "NAME=VALUE", "added to the environment of setup and training", apply_environment},
      {"transport", Form::kOne, "libgit2|git", "what talks to the remote",
       choice(&Config::transport, {{"libgit2", Transport::kLibgit2}, {"git", Transport::kGit}})},
      {"depth", Form::kOne, "N", "commits of history to fetch, by the git program; default: all",
       number(&Config::depth, 1)},
      {"git-token-env", Form::kOne, "NAME", "the variable with the token for the repository's host", apply_git_token},
      {"ssh-key", Form::kOne, "FILE", "the private key for a repository over ssh", absolute_path(&Config::ssh_key)},
      {"ssh-known-hosts", Form::kOne, "FILE", "the keys of hosts to trust over ssh; default: ~/.ssh/known_hosts",
       absolute_path(&Config::ssh_known_hosts)},
      {"netrc", Form::kOne, "FILE", "logins by host; default: $NETRC, then ~/.netrc", absolute_path(&Config::netrc)},
      {"ca-bundle", Form::kOne, "FILE", "certificates of the authorities to trust for https",
       absolute_path(&Config::ca_bundle)},
      {"network-timeout", Form::kOne, "TIME", "give a silent remote up after this; default: 60s",
       apply_network_timeout},
      {"quarantine-max", Form::kOne, "SIZE", "most that quarantine and rescue may hold; default: 20GiB",
       apply_quarantine_max},
      {"lease-time", Form::kOne, "TIME",
       "after this silence another launcher may take the run over; default: 2min on a shared disk", apply_lease_time},
      {"allow-restart-from-zero", Form::kSwitch, "", "go on although the checkpoints this run had are gone",
       truth(&Config::allow_restart_from_zero)},
      {"train", Form::kWords, "COMMAND", "the training command; on the command line: -- COMMAND…",
       texts(&Config::train)},
  };
}

std::span<const Setting> settings() {
  static const std::vector<Setting> table = make_settings();
  return table;
}

const Setting* find_setting(std::string_view name) {
  for (const Setting& setting : settings()) {
    if (setting.name == name) return &setting;
  }
  return nullptr;
}

std::vector<std::string> setting_names() {
  std::vector<std::string> names;
  for (const Setting& setting : settings()) names.push_back(setting.name);
  return names;
}

std::string variable_of(std::string_view name) {
  std::string variable = "PODLAUNCH_";
  for (const char letter : name) {
    variable += letter == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
  }
  return variable;
}

}  // namespace config
