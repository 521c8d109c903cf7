// Breaks one call, or from one call on, or kills a boot at one of its fault points, in a world that plays live.
#pragma once

#include <optional>

#include "harness/pod/world/world.h"
#include "harness/sweep/fault.h"

namespace sweep {

class Injector : public pod::PointWatcher {
 public:
  // `boot`: the number of the boot that the fault concerns; for a second kill, that of the boot before.
  Injector(pod::World& world, Fault fault, int boot);

  void boot_begins(int boot) override;
  void disks_touched() override {}
  stage::Order changing(const stage::Change& change) override;
  void changed(const stage::Change&, long) override {}
  void boot_ended(int boot) override;

  bool came_to_pass() const { return broken_ > 0; }
  // Fault points of the first boot that began under this watcher.
  int points_of_first_boot() const { return points_of_first_boot_; }

 private:
  stage::Order breaks(const stage::Change& change);
  bool lasts() const;

  pod::World& world_;
  Fault fault_;
  int boot_of_fault_;
  std::optional<PointFinder> finder_;
  int boot_ = 0;
  int first_boot_ = 0;
  int points_in_boot_ = 0;
  int points_of_first_boot_ = 0;
  int broken_ = 0;
  std::string disk_;
  bool healed_ = false;
  std::optional<scenario::Duration> ends_at_;
};

}  // namespace sweep
