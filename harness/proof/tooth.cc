#include "harness/proof/tooth.h"

#include <fmt/format.h>

#include <fstream>
#include <ostream>

namespace proof {

static constexpr SoundPolicy sound{policy::decide, policy::advance};

PolicyOnTrial on_trial(const Mutation& mutation) {
  PolicyOnTrial trial;
  trial.decide = [&mutation](const auto& history, const auto& observation, const auto& limits) {
    return mutation.decide(sound, history, observation, limits);
  };
  trial.advance = [&mutation](const auto& history, const auto& observation, const auto& decision) {
    return mutation.advance(sound, history, observation, decision);
  };
  return trial;
}

ProveResult prove_tooth(const Mutation& mutation) {
  PolicyOnTrial trial = on_trial(mutation);
  trial.only_scenarios = true;
  ProveResult playable = prove(trial);
  if (playable.refutation && !playable.refutation->scenario.empty()) return playable;
  trial.only_scenarios = false;
  trial.limits = small_limits();
  return prove(trial);
}

void list_teeth(std::ostream& out) {
  for (const Mutation& mutation : mutations()) out << fmt::format("{:26} {}\n", mutation.name, mutation.mistake);
}

int run_tooth(std::ostream& out, const std::string& name, const std::string& scenario_file) {
  const Mutation* mutation = find_mutation(name);
  if (mutation == nullptr) {
    out << fmt::format("there is no tooth {}; there are:\n", name);
    list_teeth(out);
    return 3;
  }
  const ProveResult result = prove_tooth(*mutation);
  print(out, fmt::format("{} ({})", mutation->name, mutation->mistake), result);
  if (result.proven()) return 0;
  if (scenario_file.empty() || result.refutation->scenario.empty()) return 1;
  std::ofstream file(scenario_file, std::ios::trunc);
  file << result.refutation->scenario;
  file.close();
  if (!file) {
    out << "cannot write " << scenario_file << "\n";
    return 3;
  }
  out << fmt::format(
      "\nwritten to {}; `./dev build` builds a podlaunch with this mistake:\n"
      "replay:  ./dev simrun --podlaunch build/dev/bin/teeth/podlaunch-{} {}\n",
      scenario_file, mutation->name, scenario_file);
  return 1;
}

}  // namespace proof
