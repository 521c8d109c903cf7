// What one boot starts again and again. Boots that follow each other without progress are counted where they end; a
// command that never ends but starts its training, or a step before it, over and over is counted here.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <fstream>

#include "harness/pod/world/play.h"

namespace pod {

// So many starts of the same thing in one boot end the world: enough for the oracle to call it a loop.
static constexpr int kStartsMax = 30;

// What the training's script is called in every repository that worlds are made of.
static constexpr std::string_view kTrainingScript = "run_training_cloud.sh";

// A process of this command line runs the training: the script itself, or the words that podlaunch was given for it.
static bool is_training_command(const scenario::Start& start, const std::string& line) {
  const auto dashes = std::ranges::find(start.command, "--");
  std::string words;
  if (start.is_podlaunch && dashes != start.command.end()) {
    words = fmt::format("{}", fmt::join(dashes + 1, start.command.end(), " "));
  }
  if (!words.empty()) return line == words;
  const bool calls_script = line.find(kTrainingScript) != std::string::npos;
  return calls_script && line.find(" -c ") == std::string::npos;
}

static std::string command_line(pid_t id) {
  std::ifstream file(fmt::format("/proc/{}/cmdline", id), std::ios::binary);
  std::string line{std::istreambuf_iterator<char>(file), {}};
  std::ranges::replace(line, '\0', ' ');
  if (line.ends_with(' ')) line.pop_back();
  return line;
}

void World::Play::count_start(const std::string& what) {
  note_activity();
  const int count = ++starts_[what];
  if (count <= kStartsMax || timeline_.waits_for_later() || pip_failures_left_ > 0 || due_later_ > 0) return;
  end_world(scenario::Outcome::kLooped);
}

void World::Play::count_start(const stage::Process& process) {
  if (process.troupe != stage::Troupe::kPod) return;
  if (is_training_command(scenario_.start, command_line(process.id))) count_start("the training");
}

void World::Play::note_starts(Boot& boot) {
  for (const auto& [what, count] : starts_) {
    if (count <= boot.starts_in_a_row) continue;
    boot.starts_in_a_row = count;
    boot.started = what;
  }
  starts_.clear();
}

}  // namespace pod
