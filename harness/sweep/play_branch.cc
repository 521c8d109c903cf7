#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <fstream>
#include <utility>

#include "harness/explore/materials.h"
#include "harness/pod/isolation.h"
#include "harness/report/json.h"
#include "harness/sweep/injector.h"
#include "harness/sweep/network_plan.h"
#include "harness/sweep/persistence.h"
#include "harness/sweep/zygote.h"

namespace sweep {

base::Result<pod::Branch> enter_branch(const Backstage& backstage) {
  const auto folder = pod::enter_branch(backstage.folder + "/branch");
  if (!folder) return base::fail(folder.error());
  if (auto made = pod::place_file(*folder + "/upstream/.keep", ""); !made) return base::fail(made.error());
  (void)std::remove((*folder + "/upstream/.keep").c_str());
  if (auto done = write_tree(backstage.upstream, backstage.upstream_root, *folder + "/upstream"); !done)
    return base::fail(done.error());
  pod::Branch branch;
  branch.materials = backstage.materials;
  branch.materials.points = nullptr;
  if (auto placed = explore::place_services(branch.materials, *backstage.scenario, *backstage.settings, *folder);
      !placed)
    return base::fail(placed.error());
  return branch;
}

namespace {

oracle::ScenarioResult play(const Backstage& backstage, const Job& job, const Moment& moment, WorldResult& brief) {
  const scenario::Scenario& scenario = *backstage.scenario;
  const auto broken = [&](const base::Error& error) { return explore::setup_error(scenario, error.message()); };
  auto entered = enter_branch(backstage);
  if (!entered) return broken(entered.error());
  pod::Branch& branch = *entered;

  const Fault& fault = job.fault;
  const bool replays = fault.replays_boot();
  if (!replays) branch.fault = fault.text();
  if (fault.kind == Kind::kNetwork) branch.network = {fault.network};
  Image image = backstage.recorder->image();
  if (fault.kind == Kind::kPower) {
    auto found =
        std::ranges::find_if(*backstage.models, [&](const auto& model) { return name(model.kind()) == fault.model; });
    if (found == backstage.models->end()) return explore::setup_error(scenario, "there is no model " + fault.model);
    auto left = found->images(image, moment.fresh, fault.seed);
    if (fault.image >= left.images.size()) return explore::setup_error(scenario, "the model leaves no such image here");
    image = std::move(left.images[fault.image]);
  }
  branch.fill = [&image](const pod::Disks& disks) { return write_disks(image, disks); };
  Injector injector(*backstage.world, fault, moment.boot);
  const bool injects = fault.kind != Kind::kNetwork && (replays || fault.kind == Kind::kDouble);
  if (injects) branch.materials.points = &injector;

  // The injector is told of the boot that it is in once the branch has its disks.
  if (replays) {
    branch.fill = [&](const pod::Disks& disks) -> base::Result<void> {
      auto done = write_disks(image, disks);
      injector.boot_begins(moment.boot);
      return done;
    };
  }
  auto record = backstage.world->branch(std::move(branch));
  if (!record) return broken(record.error());
  // A sweep says it once, for all worlds; a replay is asked about one.
  if (job.keep_result.empty()) brief.not_covered = std::exchange(record->not_covered, {});
  record->final_path = scenario.trainer.checkpoint_folder + "/final.json";
  record->reference_final = backstage.reference_final;
  auto result = oracle::judge(expected_with(fault, scenario), *record);
  if (injects) {
    brief.came_to_pass = injector.came_to_pass();
    brief.points_after = injector.points_of_first_boot();
  }
  if (!job.keep_result.empty() && result.judgement != oracle::Judgement::kPass)
    result.kept_folder = explore::keep_world(scenario, *record);
  return result;
}

}  // namespace

WorldResult play_branch(const Backstage& backstage, const Job& job, const Moment& moment) {
  WorldResult brief;
  brief.id = job.id;
  auto result = play(backstage, job, moment, brief);
  brief.judgement = result.judgement;
  brief.reason = result.reason;
  if (!brief.came_to_pass && result.judgement == oracle::Judgement::kPass && job.fault.kind != Kind::kDouble) {
    brief.judgement = result.judgement = oracle::Judgement::kUnknown;
    brief.reason = result.reason = "point not reached: " + job.fault.point.text();
  }
  for (const int who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
    rusage used{};
    ::getrusage(who, &used);
    for (const timeval& time : {used.ru_utime, used.ru_stime})
      brief.seconds += static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  }
  if (!job.keep_result.empty()) std::ofstream(job.keep_result) << report::to_json(result);
  return brief;
}

}  // namespace sweep
