// What to do with a newer (or other) upstream commit: a pure decision.
#pragma once

#include <string>

#include "launcher/checkout/checkout.h"

namespace checkout {

// How the local branch relates to the upstream commit.
enum class Relation {
  kNoLocalBranch,
  kSame,
  kBehind,     // upstream has more
  kAhead,      // there are local commits on top of upstream
  kDiverged,   // both have commits of their own
  kRewritten,  // upstream threw commits away that we only ever had from there
};

struct UpdateFacts {
  Relation relation = Relation::kSame;
  bool operation_in_progress = false;  // a merge or rebase of the user's
  LocalChanges local_changes = LocalChanges::kKeep;
};

enum class UpdateDecision {
  kStay,
  kGoToLocalBranch,     // at most switch to the wanted branch as it is here
  kGoToUpstream,        // nothing is left behind
  kRescueThenUpstream,  // the local commits first get a rescue reference
};

UpdateDecision decide_update(const UpdateFacts& facts);

// False: do not even ask the remote.
bool may_update(const Request& request);

}  // namespace checkout
