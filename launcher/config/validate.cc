#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>

#include "launcher/config/config.h"
#include "launcher/config/torchrun.h"

namespace config {

using base::Result;

static tl::unexpected<base::Error> refuse(std::string detail, std::string remedy) {
  return base::fail(base::invalid_input(std::move(detail), std::move(remedy)));
}

static Result<void> check_repo(const std::string& repo) {
  if (repo.empty()) return refuse("no repository is given", "Add --repo URL or set PODLAUNCH_REPO.");
  if (repo.front() == '-') return refuse("--repo looks like an option", "Give the repository's URL.");
  const std::size_t scheme = repo.find("://");
  if (scheme == std::string::npos) return {};
  const std::string authority = repo.substr(scheme + 3, repo.find('/', scheme + 3) - scheme - 3);
  const std::size_t at = authority.rfind('@');
  const bool ssh = repo.starts_with("ssh://") || repo.starts_with("git+ssh://");
  if (at == std::string::npos) return {};
  // Not repeated here: what stands before the @ is the secret. A token alone is written as the user's name.
  if (authority.substr(0, at).find(':') != std::string::npos || !ssh) {
    return refuse(
        "--repo carries a password or token in the URL",
        "Take it out of the URL and put it into the variable GITHUB_TOKEN, named with --secret GITHUB_TOKEN.");
  }
  return {};
}

static Result<void> check_ref(const std::string& ref) {
  const auto strange = [](unsigned char letter) { return std::iscntrl(letter) != 0 || std::isspace(letter) != 0; };
  if (!ref.empty() && ref.front() == '-')
    return refuse(fmt::format("the ref \"{}\" looks like an option", ref), "Give a branch, tag or commit.");
  if (std::any_of(ref.begin(), ref.end(), strange) || ref.find("..") != std::string::npos ||
      ref.find_first_of("~^:?*[\\") != std::string::npos) {
    return refuse(fmt::format("\"{}\" cannot be a branch, tag or commit", ref), "Give the ref's plain name.");
  }
  return {};
}

static Result<void> check_checkout(const std::filesystem::path& checkout, const Environment& environment) {
  if (checkout.empty()) return refuse("no checkout folder is given", "Add --checkout DIR, such as /workspace/AReaL.");
  static const std::set<std::string> kSystem = {"/",      "/bin",   "/boot", "/dev", "/etc",  "/home", "/lib",
                                                "/lib64", "/media", "/mnt",  "/opt", "/proc", "/root", "/run",
                                                "/sbin",  "/srv",   "/sys",  "/tmp", "/usr",  "/var"};
  const auto home = environment.find("HOME");
  const bool is_home = home != environment.end() && std::filesystem::path(home->second) / "" == checkout / "";
  if (kSystem.contains(checkout.string()) || is_home) {
    return refuse(fmt::format("the checkout folder {} belongs to the system or is a home folder", checkout.string()),
                  "Give the project a folder of its own, such as /workspace/AReaL.");
  }
  return {};
}

// Folders of git's or of ours: what is written there would be taken for something else.
static Result<void> check_surroundings(const Config& config) {
  for (const std::filesystem::path& part : config.checkout) {
    if (part != ".git" && part != ".podlaunch") continue;
    return refuse(fmt::format("the checkout folder {} lies inside {}", config.checkout.string(), part.string()),
                  "Give the project a folder of its own, such as /workspace/AReaL.");
  }
  if (config.state.empty()) return {};
  const auto contains = [](const std::filesystem::path& outer, const std::filesystem::path& inner) {
    return (inner / "").string().starts_with((outer / "").string());
  };
  if (contains(config.state, config.checkout) || contains(config.checkout / ".git", config.state)) {
    return refuse(fmt::format("the checkout {} and the state folder {} lie inside each other", config.checkout.string(),
                              config.state.string()),
                  "Give each a folder of its own.");
  }
  return {};
}

static bool is_placeholder(std::string value) {
  std::transform(value.begin(), value.end(), value.begin(),
                 [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  static const std::set<std::string> kKnown = {"changeme", "change_me", "change-me",   "todo", "none",
                                               "null",     "secret",    "placeholder", "xxx",  "..."};
  if (value.find_first_not_of(" \t\n\r") == std::string::npos || kKnown.contains(value)) return true;
  if (value.front() == '<' && value.back() == '>') return true;
  if (value.starts_with("${") || value.starts_with("{{")) return true;  // a template nobody filled in
  return value.starts_with("your_") || value.starts_with("your-") || value.find_first_not_of('x') == std::string::npos;
}

static Result<void> check_secrets(const Config& config, const Environment& environment) {
  for (const std::string& name : config.secrets) {
    const auto found = environment.find(name);
    if (found == environment.end()) {
      return refuse(fmt::format("the secret {} is not set", name),
                    fmt::format("Set the variable {} in the pod's template.", name));
    }
    if (is_placeholder(found->second)) {
      return refuse(fmt::format("the secret {} holds a placeholder instead of a value", name),
                    fmt::format("Set the variable {} in the pod's template to the real value.", name));
    }
  }
  for (const std::string& name : config.optional_secrets) {
    const auto found = environment.find(name);
    if (found == environment.end() || found->second.empty() || !is_placeholder(found->second)) continue;
    return refuse(fmt::format("the secret {} holds a placeholder instead of a value", name),
                  "Set it to the real value, or leave it out.");
  }
  return {};
}

Result<void> validate(const Config& config, const Environment& environment) {
  if (auto checked = check_repo(config.repo); !checked) return checked;
  if (auto checked = check_ref(config.ref); !checked) return checked;
  if (auto checked = check_checkout(config.checkout, environment); !checked) return checked;
  if (auto checked = check_surroundings(config); !checked) return checked;
  if (config.train.empty())
    return refuse("no training command is given", "Write it after \"--\", or as train: in the file.");
  for (const std::string& pattern : config.checkpoints) {
    if (!std::filesystem::path(pattern).is_absolute()) {
      return refuse(fmt::format("--checkpoints \"{}\" is not absolute", pattern),
                    "Write it from the root: /workspace/outputs/**/*.pt");
    }
  }
  if (config.gpus && config.gpus_min && *config.gpus_min > *config.gpus)
    return refuse(fmt::format("--gpus-min {} is more than --gpus {}", *config.gpus_min, *config.gpus), "Lower it.");
  if (config.torchrun) {
    if (const auto cluster = cluster_of(environment); !cluster) return base::fail(cluster.error());
  }
  if (config.max_cost && !config.price)
    return refuse("--max-cost is given, but not what an hour costs",
                  "Add --price AMOUNT, what an hour of this pod costs.");
  return check_secrets(config, environment);
}

}  // namespace config
