#include "harness/explore/materials.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "harness/explore/git_service.h"
#include "harness/explore/notify_service.h"
#include "harness/explore/provider_service.h"
#include "harness/faults/edits.h"
#include "harness/faults/file_damage.h"
#include "harness/faults/git_damage.h"
#include "harness/faults/upstream.h"
#include "harness/oracle/promises.h"
#include "harness/pod/disks.h"

namespace explore {

namespace fs = std::filesystem;

static std::string seconds_text(scenario::Duration duration) {
  return fmt::format("{}", std::chrono::duration<double>(duration).count());
}

static std::map<std::string, std::string> environment(const scenario::Scenario& scenario) {
  const scenario::Trainer& trainer = scenario.trainer;
  std::map<std::string, std::string> result{
      {"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
      {"HOME", "/root"},
      {"LANG", "C.UTF-8"},
      {"TRAINER_STEPS", fmt::format("{}", trainer.steps)},
      {"TRAINER_STEP_SECONDS", seconds_text(trainer.step_time)},
      {"TRAINER_CHECKPOINT_EVERY", fmt::format("{}", trainer.checkpoint_every)},
      {"TRAINER_CHECKPOINTS", trainer.checkpoint_folder},
  };
  if (scenario.pod.platform == "runpod") {
    result["RUNPOD_GPU_COUNT"] = fmt::format("{}", scenario.pod.gpus);
    result["RUNPOD_DC_ID"] = "SIM-1";
    result["RUNPOD_CPU_COUNT"] = "8";
    for (const auto& disk : scenario.pod.disks) {
      if (disk.kind == scenario::DiskKind::kNetworkVolume) result["RUNPOD_VOLUME_ID"] = "volume-1";
    }
  }
  for (const auto& [name, value] : scenario.pod.environment) result[name] = value;
  return result;
}

base::Result<void> place_services(pod::Materials& materials, const scenario::Scenario& scenario,
                                  const Settings& settings, const std::string& folder) {
  materials.folder = folder;
  materials.services.clear();  // of the world that these materials may come from
  materials.service_descriptors.clear();
  materials.service_sockets.clear();
  materials.answers_log = folder + "/answers.log";
  if (auto placed = pod::place_file(materials.answers_log, ""); !placed) return base::fail(placed.error());
  if (auto added = place_git_service(materials, scenario, settings); !added) return added;
  if (auto added = place_provider_service(materials, scenario, settings); !added) return added;
  if (auto added = place_web_hook(materials, scenario, settings); !added) return added;
  materials.hands.commit_upstream = [upstream = materials.upstream_path, branch = scenario.repository.branch,
                                     epoch = settings.epoch_seconds](const scenario::UpstreamCommit& commit,
                                                                     scenario::Duration at) -> base::Result<void> {
    const auto when = epoch + std::chrono::duration_cast<std::chrono::seconds>(at).count();
    return faults::upstream_commit(upstream, branch, commit.path, commit.content, when);
  };
  return {};
}

base::Result<pod::Materials> gather(const scenario::Scenario& scenario, const Settings& settings,
                                    const std::string& folder) {
  pod::Materials materials;
  materials.folder = folder;
  materials.epoch_seconds = settings.epoch_seconds;
  materials.environment = environment(scenario);
  const bool with_gpus = scenario.pod.gpus > 0 && scenario.pod.gpu_model.nvidia_smi;
  for (const auto& program : fs::directory_iterator(settings.fixtures + "/bin")) {
    if (program.path().filename() == "nvidia-smi" && !with_gpus) continue;
    materials.programs["/usr/local/bin/" + program.path().filename().string()] = program.path();
  }
  if (!settings.podlaunch.empty()) materials.programs["/usr/local/bin/podlaunch"] = settings.podlaunch;

  materials.hands.damage = faults::apply_damage;
  materials.hands.edit = faults::apply_user_edit;
  materials.hands.damage_file = faults::damage_file;
  materials.hands.missing_work = oracle::missing_work;
  const std::string fixture = settings.fixtures + "/repositories/" + scenario.repository.fixture;
  name_git_host(materials, scenario, settings);
  if (auto named = name_provider(materials, scenario); !named) return base::fail(named.error());
  name_web_hook(materials, scenario);
  if (auto made = faults::make_upstream(upstream_path(materials, scenario), fixture, scenario.repository.branch,
                                        settings.epoch_seconds);
      !made) {
    return base::fail(made.error());
  }
  if (auto placed = place_services(materials, scenario, settings, folder); !placed) return base::fail(placed.error());
  return materials;
}

static std::string file_name(const scenario::Scenario& scenario) {
  std::string name = fs::path(scenario.file).stem().string();
  if (!scenario.variant.empty()) name += "-" + scenario.variant;
  for (char& letter : name) {
    if (std::isalnum(static_cast<unsigned char>(letter)) == 0 && letter != '-') letter = '_';
  }
  return name;
}

// What an engineer wants to look at after a failure: the disks as they were left, and the container's output.
std::string keep_world(const scenario::Scenario& scenario, const pod::WorldRecord& record) {
  std::string pattern = fs::temp_directory_path() / fmt::format("simrun-{}-XXXXXX", file_name(scenario));
  if (::mkdtemp(pattern.data()) == nullptr) return {};
  std::ofstream log(pattern + "/container.log");
  for (const auto& line : record.log) log << line.text << '\n';
  for (const auto& disk : record.disks) {
    std::error_code ignored;  // a disk that cannot be copied whole is kept in part
    const std::string to = pattern + "/disks" + disk.mount_path;
    fs::create_directories(to, ignored);
    fs::copy(disk.host_path, to,
             fs::copy_options::recursive | fs::copy_options::copy_symlinks | fs::copy_options::skip_existing, ignored);
  }
  return pattern;
}

}  // namespace explore
