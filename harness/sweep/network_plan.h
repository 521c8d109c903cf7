// What can go wrong with each thing that a recorded play wanted of the network.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "harness/pod/world/world.h"
#include "harness/sweep/fault.h"

namespace sweep {

using scenario::NetworkFault;

struct NetworkPoint {
  Address address;  // process: the service; syscall: the way; path: what was asked
  pod::NetworkUse use;
  scenario::Duration since_boot{0};
};

// Numbers them. A boot's faults begin with the boot, so requests are counted from there.
class NetworkPoints {
 public:
  void boot_begins(int boot, scenario::Duration now);
  void add(const pod::NetworkUse& use, scenario::Duration now);
  const std::vector<NetworkPoint>& all() const { return points_; }

 private:
  std::vector<NetworkPoint> points_;
  int boot_ = 0;
  scenario::Duration boot_began_{0};
};

// What holds with this fault. A checkout that is sound is trained as it is when upstream says no or stays away, or when
// the disk takes no update for minutes, so the newest code may be missing; a single mishap must not have cost it.
scenario::Scenario expected_with(const Fault& fault, scenario::Scenario scenario);

// Every fault that can strike there, once and for two minutes; those that have a place within an answer, at so many
// places from its beginning to its end.
std::vector<Fault> network_faults(const NetworkPoint& point, int places);

}  // namespace sweep
