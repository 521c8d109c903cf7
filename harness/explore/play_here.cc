#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "harness/explore/materials.h"
#include "harness/explore/reference.h"
#include "harness/explore/workers.h"
#include "harness/pod/isolation.h"
#include "harness/pod/world/world.h"

namespace explore {

// podlaunch itself, reading the disks that the world left.
static std::string ask_launcher(const Settings& settings, const pod::WorldRecord& record) {
  const auto volume = std::ranges::find(record.disks, "/workspace", &pod::DiskView::mount_path);
  if (volume == record.disks.end()) return {};
  const std::string command = fmt::format("'{}' status --json --state '{}/.podlaunch/runs' --run '{}' 2>/dev/null",
                                          settings.podlaunch, volume->host_path, settings.status_of_run);
  FILE* output = ::popen(command.c_str(), "r");
  if (output == nullptr) return {};
  std::string text;
  std::array<char, 65536> buffer{};
  for (std::size_t size = 0; (size = std::fread(buffer.data(), 1, buffer.size(), output)) > 0;)
    text.append(buffer.data(), size);
  ::pclose(output);
  return text;
}

oracle::ScenarioResult play_here(const scenario::Scenario& scenario, const Settings& settings) {
  const auto folder = pod::enter_world();
  if (!folder) return setup_error(scenario, folder.error().message());
  auto materials = gather(scenario, settings, *folder);
  if (!materials) return setup_error(scenario, materials.error().message());
  const auto reference = train_without_interruption(scenario, settings.fixtures, *folder + "/reference");
  if (!reference) return setup_error(scenario, reference.error().message());

  pod::World world(scenario, std::move(*materials));
  auto record = world.play();
  if (!record) return setup_error(scenario, record.error().message());
  record->final_path = scenario.trainer.checkpoint_folder + "/final.json";
  record->reference_final = *reference;
  auto result = oracle::judge(scenario, *record);
  const bool as_expected = result.judgement == oracle::Judgement::kPass;
  if (settings.podlaunch_given && !result.replay.empty()) {
    const std::string start = "./dev simrun ";
    result.replay.insert(start.size(), "--podlaunch " + settings.podlaunch + " ");
  }
  if (!settings.status_of_run.empty()) result.launcher_status = ask_launcher(settings, *record);
  if (settings.keep || (settings.keep_failures && !as_expected)) result.kept_folder = keep_world(scenario, *record);
  return result;
}

}  // namespace explore
