#include "harness/explore/search/draw.h"

#include <fmt/format.h>

#include "base/random.h"
#include "harness/explore/search/draw_faults.h"
#include "harness/scenario/names.h"
#include "harness/scenario/write.h"

namespace explore {

using base::Random;
using scenario::Disk;
using scenario::DiskKind;
using scenario::Scenario;

template <class T>
static const T& pick(Random& random, const std::vector<T>& values) {
  return values[random.below(values.size())];
}

static std::string size_text(std::uint64_t bytes) {
  return bytes >= 1ULL << 30 ? fmt::format("{}GiB", bytes >> 30) : fmt::format("{}MiB", bytes >> 20);
}

static void draw_pod(Random& random, Drawn& drawn) {
  scenario::Pod& pod = drawn.scenario.pod;
  // Nothing is learnt from a platform that restarts nothing.
  std::vector<std::string> platforms = scenario::platform_names();
  std::erase(platforms, "none");
  pod.platform = random.chance(1, 2) ? "runpod" : pick(random, platforms);
  const std::uint64_t size = pick(
      random, std::vector<std::uint64_t>{20ULL << 30, 20ULL << 30, 20ULL << 30, 20ULL << 30, 64ULL << 20, 4ULL << 20});
  const bool shared = random.chance(1, 4);
  const bool outputs_only = random.chance(1, 5);  // as in the incident's template
  pod.disks = {Disk{.mount_path = outputs_only ? "/workspace/outputs" : "/workspace",
                    .kind = shared ? DiskKind::kNetworkVolume : DiskKind::kVolume,
                    .size_bytes = size}};
  pod.gpus = pick(random, std::vector<int>{1, 1, 2, 4});
  drawn.options.push_back(fmt::format("platform: {}, {} GPUs", pod.platform, pod.gpus));
  drawn.options.push_back(
      fmt::format("disk: {} {} {}", pod.disks[0].mount_path, name(pod.disks[0].kind), size_text(size)));
}

static void draw_trainer(Random& random, Drawn& drawn) {
  scenario::Trainer& trainer = drawn.scenario.trainer;
  trainer.steps = 30 + 10 * static_cast<int>(random.below(4));
  trainer.checkpoint_every = pick(random, std::vector<int>{5, 10, 20});
  drawn.options.push_back(
      fmt::format("trainer: {} steps, a checkpoint every {}", trainer.steps, trainer.checkpoint_every));
}

static void add_flag(Drawn& drawn, std::vector<std::string> words) {
  drawn.options.push_back(fmt::format("{}", fmt::join(words, " ")));
  auto& command = drawn.scenario.start.command;
  command.insert(command.end(), words.begin(), words.end());
}

// A secret that the training asks for, and that is there from the beginning, or is what somebody forgot.
static void draw_secret(Random& random, Drawn& drawn) {
  add_flag(drawn, {"--secret", kDrawnSecret});
  if (random.chance(1, 2)) return drawn.options.push_back(fmt::format("{} is not set at first", kDrawnSecret));
  drawn.scenario.pod.environment[kDrawnSecret] = kDrawnSecretValue;
}

static void draw_provider(Random& random, Drawn& drawn) {
  if (drawn.scenario.pod.platform != "runpod") return;
  drawn.scenario.provider.emplace();
  drawn.options.emplace_back("the provider's API can be reached");
  if (random.chance(2, 3)) add_flag(drawn, {"--on-complete", "stop-pod"});
}

static void draw_podlaunch(Random& random, Drawn& drawn) {
  const Scenario& scenario = drawn.scenario;
  drawn.options.emplace_back("start: podlaunch");
  drawn.scenario.start.is_podlaunch = true;
  drawn.scenario.start.command = {"podlaunch",
                                  "--repo",
                                  scenario.repository.url,
                                  "--ref",
                                  scenario.repository.branch,
                                  "--checkout",
                                  scenario.start.checkout,
                                  "--checkpoints",
                                  scenario.trainer.checkpoint_folder + "/checkpoint-*.json"};
  if (random.chance(1, 2)) add_flag(drawn, {"--setup", "pip install -e ."});
  if (random.chance(1, 3)) add_flag(drawn, {"--transport", "git"});
  if (random.chance(1, 6)) add_flag(drawn, {"--depth", "1"});
  if (random.chance(1, 4)) {
    add_flag(drawn, {"--update", pick(random, std::vector<std::string>{"until-checkpoint", "once-per-run", "never"})});
  }
  if (random.chance(1, 2)) add_flag(drawn, {"--local-changes", "set-aside"});
  if (random.chance(1, 3))
    add_flag(drawn, {"--done-when", "file:" + scenario.trainer.checkpoint_folder + "/final.json"});
  if (random.chance(1, 2)) add_flag(drawn, {"--stall-timeout", "10min"});
  if (scenario.pod.gpus > 1 && random.chance(1, 2)) add_flag(drawn, {"--gpus-min", "1"});
  if (random.chance(1, 4)) draw_secret(random, drawn);
  if (random.chance(1, 3)) draw_provider(random, drawn);
  auto& command = drawn.scenario.start.command;
  command.insert(command.end(), {"--", "bash", "examples/cloud_gsm8k/run_training_cloud.sh", "1hour"});
}

// Where the checkout belongs lies something of the user's already, and more of it than can stay in its place.
static void draw_earlier_files(Random& random, Drawn& drawn) {
  const std::string& checkout = drawn.scenario.start.checkout;
  if (!checkout.starts_with(drawn.scenario.pod.disks.front().mount_path + "/")) return;
  for (const std::string file : {"README.md", "results/table.csv"}) {
    scenario::InitialFile earlier;
    earlier.path = checkout + "/" + file;
    earlier.content = fmt::format("what {} said in month {}\n", file, random.below(1000));
    drawn.scenario.files.push_back(earlier);
    drawn.options.push_back("there before: " + earlier.path);
  }
}

static void draw_start(Random& random, const Palette& palette, Drawn& drawn) {
  // Drawn in any case, so that a base changes nothing about the rest.
  const bool shell = random.chance(1, 8);
  const std::uint64_t which = random.next();
  Random flags(random.next());
  if (palette.base) {
    drawn.scenario.start = palette.base->start;
    drawn.options.push_back("start: that of " + palette.base->file);
  } else if (shell && !palette.shell_commands.empty()) {
    const auto& [name, text] = palette.shell_commands[which % palette.shell_commands.size()];
    drawn.scenario.start.command = {"bash", "-c", text};
    drawn.options.push_back("start: " + name);
    drawn.known_bad = true;
  } else {
    draw_podlaunch(flags, drawn);
    if (flags.chance(1, 8)) draw_earlier_files(flags, drawn);
  }
}

Drawn draw(std::uint64_t seed, int number, const Palette& palette) {
  Random random(Random(seed).next() + static_cast<std::uint64_t>(number));
  Drawn drawn;
  Scenario& scenario = drawn.scenario;
  scenario.name = fmt::format("world {} of seed {}", number, seed);
  scenario.story = "Drawn at random.";
  if (palette.base) scenario.repository = palette.base->repository;
  draw_pod(random, drawn);
  draw_trainer(random, drawn);
  draw_start(random, palette, drawn);
  scenario.timeline = draw_timeline(random, scenario);
  for (const auto& entry : scenario.timeline) {
    drawn.options.push_back(
        fmt::format("when: {}, do: {}", scenario::write_moment(entry.when), scenario::write_action(entry.action)));
  }
  return drawn;
}

}  // namespace explore
