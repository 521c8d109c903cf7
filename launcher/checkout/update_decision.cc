#include "launcher/checkout/update_decision.h"

namespace checkout {

UpdateDecision decide_update(const UpdateFacts& facts) {
  const bool set_aside = facts.local_changes == LocalChanges::kSetAside;
  if (facts.operation_in_progress && !set_aside) return UpdateDecision::kStay;
  switch (facts.relation) {
    case Relation::kNoLocalBranch:
    case Relation::kSame:
    case Relation::kBehind:
      return UpdateDecision::kGoToUpstream;
    case Relation::kRewritten:
      return UpdateDecision::kRescueThenUpstream;
    case Relation::kAhead:
    case Relation::kDiverged:
      return set_aside ? UpdateDecision::kRescueThenUpstream : UpdateDecision::kGoToLocalBranch;
  }
  return UpdateDecision::kStay;
}

bool may_update(const Request& request) {
  switch (request.update) {
    case UpdateMode::kAlways:
      return true;
    case UpdateMode::kUntilCheckpoint:
      return !request.run_has_checkpoint;
    case UpdateMode::kOncePerRun:
      return !request.run_was_updated;
    case UpdateMode::kNever:
      return false;
  }
  return false;
}

}  // namespace checkout
