#include "harness/explore/search/shrink.h"

#include <algorithm>
#include <set>

#include "harness/scenario/parse.h"
#include "harness/scenario/write.h"

namespace explore {

using scenario::Scenario;

namespace {

class Shrinker {
 public:
  Shrinker(const Scenario& scenario, const Fails& fails, int plays_max)
      : best_(scenario), fails_(fails), plays_max_(plays_max) {}

  Shrunk run() {
    bool smaller = true;
    while (smaller && !exhausted()) {
      smaller = shrink_timeline();
      smaller = shrink_options() || smaller;
    }
    return {best_, plays_, !exhausted()};
  }

 private:
  bool exhausted() const { return plays_ >= plays_max_; }

  // Keeps the candidate if it still fails.
  bool keep(const Scenario& candidate) {
    if (candidate == best_ || exhausted()) return false;
    const std::string text = scenario::write(candidate, "");
    if (!tried_.insert(text).second || !scenario::parse(text, "candidate")) return false;
    ++plays_;
    if (!fails_(candidate)) return false;
    best_ = candidate;
    return true;
  }

  bool shrink_timeline() {
    bool smaller = false;
    std::size_t chunk = std::max<std::size_t>(1, best_.timeline.size());
    while (!best_.timeline.empty() && !exhausted()) {
      bool removed = false;
      for (std::size_t begin = 0; begin < best_.timeline.size();) {
        Scenario candidate = best_;
        const auto first = candidate.timeline.begin() + static_cast<std::ptrdiff_t>(begin);
        const auto count = std::min(chunk, candidate.timeline.size() - begin);
        candidate.timeline.erase(first, first + static_cast<std::ptrdiff_t>(count));
        if (keep(candidate)) {
          removed = true;
        } else {
          begin += chunk;
        }
      }
      smaller = smaller || removed;
      if (!removed && chunk == 1) break;
      if (!removed) chunk = (chunk + 1) / 2;
      chunk = std::min(chunk, std::max<std::size_t>(1, best_.timeline.size()));
    }
    return smaller;
  }

  template <class Change>
  bool try_change(Change change) {
    Scenario candidate = best_;
    change(candidate);
    return keep(candidate);
  }

  bool shrink_options() {
    const Scenario usual;
    bool smaller = false;
    const auto attempt = [&](auto change) { smaller = try_change(change) || smaller; };
    attempt([&](Scenario& one) { one.pod.platform = usual.pod.platform; });
    attempt([&](Scenario& one) { one.pod.disks = {scenario::Disk{.mount_path = "/workspace"}}; });
    attempt([&](Scenario& one) {
      for (auto& disk : one.pod.disks) disk = scenario::Disk{.mount_path = disk.mount_path};
    });
    attempt([&](Scenario& one) { one.pod.gpus = usual.pod.gpus; });
    attempt([&](Scenario& one) { one.pod.environment.clear(); });
    attempt([&](Scenario& one) { one.files.clear(); });
    attempt([&](Scenario& one) { one.trainer.checkpoint_every = 10; });
    if (best_.start.is_podlaunch) smaller = drop_flags() || smaller;
    for (std::size_t i = 0; i < best_.timeline.size(); ++i) {
      attempt([&](Scenario& one) { one.timeline[i].when.after = scenario::Duration(0); });
      attempt([&](Scenario& one) { simplify(one.timeline[i].action); });
    }
    return smaller;
  }

  // Flags with a value each; the four that say what is trained stay.
  bool drop_flags() {
    static const std::set<std::string> needed{"--repo", "--ref", "--checkout", "--checkpoints"};
    bool smaller = false;
    for (std::size_t i = 1; i + 1 < best_.start.command.size() && best_.start.command[i] != "--";) {
      const bool dropped = !needed.contains(best_.start.command[i]) && try_change([&](Scenario& one) {
        const auto flag = one.start.command.begin() + static_cast<std::ptrdiff_t>(i);
        one.start.command.erase(flag, flag + 2);
      });
      smaller = smaller || dropped;
      if (!dropped) i += 2;
    }
    return smaller;
  }

  static void simplify(scenario::Action& action) {
    if (auto* fault = std::get_if<scenario::NetworkFault>(&action)) {
      *fault = scenario::NetworkFault{.fault = fault->fault, .service = fault->service};
    } else if (std::holds_alternative<scenario::SpotInterrupt>(action) ||
               std::holds_alternative<scenario::RecreatePod>(action)) {
      action = scenario::KillContainer{};
    } else if (std::holds_alternative<scenario::PipFails>(action)) {
      action = scenario::PipFails{};
    }
  }

  Scenario best_;
  const Fails& fails_;
  int plays_max_;
  int plays_ = 0;
  std::set<std::string> tried_;
};

}  // namespace

Shrunk shrink(const Scenario& scenario, const Fails& fails, int plays_max) {
  return Shrinker(scenario, fails, plays_max).run();
}

}  // namespace explore
