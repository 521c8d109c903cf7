// podlaunch's policy with one mistake in it: PODLAUNCH_MUTATION names it. Linked before the library, it stands in for
// the policy's own decide and advance, which live on here under other names.
#define decide sound_decide
#define advance sound_advance
#include "launcher/policy/policy.cc"  // NOLINT(bugprone-suspicious-include)
#undef decide
#undef advance

#include "base/check.h"
#include "harness/proof/mutations.h"

namespace policy {

static const proof::Mutation& mutation() {
  static const proof::Mutation* found = proof::find_mutation(PODLAUNCH_MUTATION);
  CHECK(found != nullptr);
  return *found;
}

static constexpr proof::SoundPolicy sound{sound_decide, sound_advance};

// The names of the policy's own functions, which policy.h has declared under the other names here.
Decision decide(const History& history, const Observation& observation, const Limits& limits);
History advance(History history, const Observation& observation, const Decision& decision);

Decision decide(const History& history, const Observation& observation, const Limits& limits) {
  return mutation().decide(sound, history, observation, limits);
}

History advance(History history, const Observation& observation, const Decision& decision) {
  return mutation().advance(sound, history, observation, decision);
}

}  // namespace policy
