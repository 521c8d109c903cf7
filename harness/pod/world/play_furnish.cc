#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "harness/pod/world/play.h"

namespace pod {

namespace fs = std::filesystem;

// The files behind what the kernel would tell: they lie beside the disks.
base::Result<void> World::Play::furnish_files() {
  const std::string& folder = materials_.folder;
  boot_id_file_ = folder + "/boot-id";
  uptime_file_ = folder + "/uptime";
  if (auto placed = place_file(boot_id_file_, "5f0c1d6e-0000-4000-8000-000000000001\n"); !placed) return placed;
  if (auto placed = place_file(uptime_file_, ""); !placed) return placed;
  gpus_file_ = folder + "/gpus";
  publish_gpus();
  clock_.publish_uptime(base::UniqueFd(::open(uptime_file_.c_str(), O_WRONLY | O_CLOEXEC)));
  return {};
}

base::Result<void> World::Play::furnish() {
  if (auto done = furnish_files(); !done) return done;
  if (materials_.image.empty()) materials_.image = materials_.folder + "/image";
  if (materials_.points != nullptr) stage_->watch_changes();
  auto disks = Disks::create(materials_.folder + "/disks", scenario_.pod.disks, materials_.image);
  if (!disks) return base::fail(disks.error());
  disks_ = std::move(*disks);
  record_.upstream_path = materials_.upstream_path;
  if (auto done = furnish_container(); !done) return done;
  for (const auto& file : scenario_.files) {
    if (auto placed = place_file(disks_->host_path(file.path), file.content); !placed) return placed;
    if (file.precious)
      record_.precious.push_back({"the file " + file.path + ", there from the beginning", file.path, file.content});
  }
  return {};
}

base::Result<void> World::Play::furnish_container() {
  for (const auto& [path, source] : materials_.programs) {
    // In the image, below the layers of all containers, rather than copied into each.
    const bool in_layer = std::ranges::any_of(
        disks_->layers(), [&path = path](const Layer& layer) { return path.starts_with(layer.lower + "/"); });
    const std::string target = in_layer ? materials_.image + path : disks_->host_path(path);
    std::error_code code;
    if (in_layer && fs::exists(target, code)) continue;
    fs::create_directories(fs::path(target).parent_path(), code);
    fs::copy_file(source, target, fs::copy_options::overwrite_existing, code);
    if (code || ::chmod(target.c_str(), 0755) != 0) {
      return base::fail(base::system_error(code ? code.value() : errno, "copy into the pod", source));
    }
  }
  for (const auto& [path, content] : materials_.files) {
    if (auto placed = place_file(disks_->host_path(path), content); !placed) return placed;
  }
  return {};
}

base::Result<void> World::Play::start_services(bool staged) {
  base::UniqueFd log(
      ::open((materials_.folder + "/services.log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  for (const auto& command : materials_.services) {
    auto service = launch_service(command, log.get(), materials_.service_descriptors, staged);
    if (!service) return base::fail(service.error());
    auto adopted = staged ? stage_->adopt(service->id, stage::Troupe::kService) : base::Result<void>();
    if (!adopted) return adopted;
    services_.insert(service->id);
    service->go();
  }
  return {};
}

// Another host, another container disk; the volumes go along.
void World::Play::return_pod() {
  ++pod_number_;
  if (auto renewed = disks_->renew_container(); !renewed) return give_up(renewed.error());
  if (auto furnished = furnish_container(); !furnished) return give_up(furnished.error());
  const auto placed = place_file(boot_id_file_, fmt::format("5f0c1d6e-0000-4000-8000-{:012}\n", pod_number_));
  if (!placed) return give_up(placed.error());
  restarts_ = {};
  gpu_faults_.clear();
  do_action(scenario::NvidiaSmiFault{scenario::NvidiaSmiKind::kWorks});
  begin_boot();
}

}  // namespace pod
