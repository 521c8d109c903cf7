#include "harness/explore/materials.h"
#include "harness/explore/reference.h"
#include "harness/explore/workers.h"
#include "harness/pod/isolation.h"
#include "harness/pod/world.h"

namespace explore {

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
  if (settings.keep || !as_expected) result.kept_folder = keep_world(scenario, *record);
  return result;
}

}  // namespace explore
