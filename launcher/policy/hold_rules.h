// What is known about each reason to hold: one row each.
#pragma once

#include <string_view>

#include "launcher/policy/policy.h"

namespace policy {

struct HoldRule {
  HoldReason reason = HoldReason::kSameFailure;
  std::string_view name;
  int exit_code = 1;                // under --on-failure exit
  bool is_obstacle = false;         // every boot looks again; counters stay
  bool ends_with_commit = false;    // a new commit upstream can mend it
  bool ends_with_hardware = false;  // other GPUs can
  bool ends_with_upstream = false;  // so can an upstream that had not answered and does again, commit or not
  bool blames_checkpoint = false;   // a damaged newest checkpoint would look like this
  std::string_view cause;
  std::string_view remedy;
};

const HoldRule& rule(HoldReason reason);

HoldReason reason_for(Phase phase);
HoldReason reason_for(Obstacle obstacle);

}  // namespace policy
