#include "contestants.h"

#include <algorithm>

namespace scoreboard {
namespace {

namespace fs = checkout::fs;
using checkout::read_text;
using checkout::World;

constexpr int kSecondsMax = 60;

fs::path trained_mark(const World& world) {
  return world.root / "trained";
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
}

// The incident's commands, word for word but for where they run and what they train.
std::string generation(const std::string& number, const World& world) {
  std::string text = read_text(PROJECT_SOURCE_DIR "/fixtures/start-commands/generation" + number + ".sh");
  replace_all(text, "https://github.com/nexthybrid/AReaL.git", "file://" + world.remote.string() + " project");
  replace_all(text, "bash examples/cloud_gsm8k/run_training_cloud.sh 1hour", "touch " + trained_mark(world).string());
  replace_all(text, "pip install -e .", "true");
  replace_all(text, "pip config set", "true");
  replace_all(text, "/workspace", world.path.parent_path().string());
  replace_all(text, "AReaL", "project");
  return text;
}

std::string podlaunch(const World& world) {
  return std::string(PROJECT_BIN_DIR "/podlaunch --repo file://") + world.remote.string() +
         " --ref DL4Math --checkout " + world.path.string() + " --state " + (world.root / "state").string() +
         " --on-failure exit --on-complete exit --alongside none -- touch " + trained_mark(world).string();
}

std::string recipe(const std::string& name, const World& world) {
  return "export URL=file://" + world.remote.string() + " BRANCH=DL4Math CHECKOUT=" + world.path.string() +
         " TRAIN='touch " + trained_mark(world).string() + "'\n" +
         read_text(PROJECT_SOURCE_DIR "/fixtures/scoreboard/" + name + ".sh");
}

std::string script_of(const Contestant& contestant, const World& world) {
  if (contestant.name == "podlaunch") return podlaunch(world);
  if (contestant.name.starts_with("generation ")) return generation(contestant.name.substr(11), world);
  std::string file = contestant.name;
  std::replace(file.begin(), file.end(), '-', '_');
  return recipe(file, world);
}

}  // namespace

const std::vector<Contestant>& contestants() {
  static const std::vector<Contestant> all = {
      {"podlaunch", "this project"},
      {"generation 1", "clone; what stood in the template when it looped"},
      {"generation 2", "remove, then clone"},
      {"generation 3", "fetch, checkout, pull, else remove and clone: the incident's own fix"},
      {"generation 4", "fetch and checkout -B, else remove and clone"},
      {"git-sync", "wipe when fsck --connectivity-only fails: the recipe of kubernetes/git-sync"},
      {"buildkite", "wipe when git fails, six tries: the recipe of the buildkite agent"},
      {"git-repair", "Debian's git-repair, then fetch and checkout"},
  };
  return all;
}

bool boot(const Contestant& contestant, const World& world) {
  fs::remove(trained_mark(world));
  const fs::path script = world.root / "start.sh";
  checkout::write_file(script, script_of(contestant, world));
  // A boot that never ends is a boot that failed.
  (void)checkout::shell("cd " + world.path.parent_path().string() + " && timeout --kill-after=5 " +
                        std::to_string(kSecondsMax) + " bash " + script.string() + " < /dev/null");
  return fs::exists(trained_mark(world));
}

}  // namespace scoreboard
