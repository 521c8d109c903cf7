// When a platform starts a container again after it has ended. The policies are data; the figures are explained in
// docs/fault-model.md.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/scenario/scenario.h"

namespace pod {

using scenario::Duration;

struct RestartPolicy {
  std::string_view name;
  bool after_success = true;
  bool after_failure = true;
  int restarts_max = -1;    // -1: no limit
  Duration tick{0};         // not zero: restarts happen at multiples of it, counted from the last start
  Duration delay_first{0};  // otherwise: after this, doubling
  Duration delay_max{0};
  Duration reset_after{0};  // a run of this length forgets the doubling
  Duration spot_grace{0};   // between SIGTERM and SIGKILL when a spot pod is taken away
  Duration spot_return{0};  // until a new pod is there
};

const std::vector<RestartPolicy>& restart_policies();
const RestartPolicy* find_restart_policy(std::string_view name);

// What the platform remembers between boots.
struct RestartHistory {
  int restarts = 0;
  Duration delay_next{0};
};

// When the container starts again, or nothing when it does not. Pure, but for the history it updates.
std::optional<Duration> next_start(const RestartPolicy& policy, RestartHistory& history, Duration started,
                                   Duration ended, bool success);

}  // namespace pod
