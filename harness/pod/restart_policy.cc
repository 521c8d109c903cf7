#include "harness/pod/restart_policy.h"

#include <algorithm>

namespace pod {

using namespace std::chrono_literals;

const std::vector<RestartPolicy>& restart_policies() {
  static const std::vector<RestartPolicy> policies = {
      // 118 starts in the incident's logs: median 16.8 s from start to start, no growth, no limit, any exit status.
      {.name = "runpod", .tick = 16'800ms, .spot_grace = 5s, .spot_return = 60s},
      // moby's restart manager: 100 ms doubling to a minute, forgotten after a run of 10 s.
      {.name = "docker-always",
       .delay_first = 100ms,
       .delay_max = 1min,
       .reset_after = 10s,
       .spot_grace = 10s,
       .spot_return = 60s},
      {.name = "docker-unless-stopped",
       .delay_first = 100ms,
       .delay_max = 1min,
       .reset_after = 10s,
       .spot_grace = 10s,
       .spot_return = 60s},
      {.name = "docker-on-failure",
       .after_success = false,
       .delay_first = 100ms,
       .delay_max = 1min,
       .reset_after = 10s,
       .spot_grace = 10s,
       .spot_return = 60s},
      {.name = "docker-on-failure-5",
       .after_success = false,
       .restarts_max = 5,
       .delay_first = 100ms,
       .delay_max = 1min,
       .reset_after = 10s,
       .spot_grace = 10s,
       .spot_return = 60s},
      // podman 4.3: no backoff to be seen, 0.2 s apart.
      {.name = "podman",
       .delay_first = 200ms,
       .delay_max = 200ms,
       .reset_after = 1s,
       .spot_grace = 10s,
       .spot_return = 60s},
      // the kubelet: 10 s doubling to 300 s, forgotten after 10 minutes.
      {.name = "kubernetes-always",
       .delay_first = 10s,
       .delay_max = 300s,
       .reset_after = 10min,
       .spot_grace = 30s,
       .spot_return = 60s},
      {.name = "kubernetes-on-failure",
       .after_success = false,
       .delay_first = 10s,
       .delay_max = 300s,
       .reset_after = 10min,
       .spot_grace = 30s,
       .spot_return = 60s},
      {.name = "none", .after_success = false, .after_failure = false, .spot_grace = 10s, .spot_return = 60s},
  };
  return policies;
}

const RestartPolicy* find_restart_policy(std::string_view name) {
  const auto& policies = restart_policies();
  const auto found = std::ranges::find(policies, name, &RestartPolicy::name);
  return found == policies.end() ? nullptr : &*found;
}

std::optional<Duration> next_start(const RestartPolicy& policy, RestartHistory& history, Duration started,
                                   Duration ended, bool success) {
  if (!(success ? policy.after_success : policy.after_failure)) return std::nullopt;
  if (policy.restarts_max >= 0 && history.restarts >= policy.restarts_max) return std::nullopt;
  ++history.restarts;
  if (policy.tick > Duration::zero()) {
    const auto ticks = (ended - started) / policy.tick + 1;
    return started + ticks * policy.tick;
  }
  if (history.delay_next == Duration::zero() || ended - started >= policy.reset_after)
    history.delay_next = policy.delay_first;
  const Duration delay = history.delay_next;
  history.delay_next = std::min(policy.delay_max, delay * 2);
  return ended + delay;
}

}  // namespace pod
