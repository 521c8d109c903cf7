// Bad policies: podlaunch's own with one mistake in each. `simrun prove` must refute every one of them, and where its
// path can be played, a podlaunch that was built with the same mistake must come to the same end in a world.
//
// Nothing here calls the policy by its name: a podlaunch with a mistake has it under another one.
#pragma once

#include <span>
#include <string_view>

#include "launcher/policy/policy.h"

namespace proof {

// The policy that a mistake is made in.
struct SoundPolicy {
  policy::Decision (*decide)(const policy::History&, const policy::Observation&, const policy::Limits&);
  policy::History (*advance)(policy::History, const policy::Observation&, const policy::Decision&);
};

struct Mutation {
  std::string_view name;     // "forgets-kills"
  std::string_view mistake;  // a sentence
  std::string_view promise;  // which one it breaks, as `prove` calls it
  policy::Decision (*decide)(const SoundPolicy&, const policy::History&, const policy::Observation&,
                             const policy::Limits&);
  policy::History (*advance)(const SoundPolicy&, const policy::History&, const policy::Observation&,
                             const policy::Decision&);
};

std::span<const Mutation> mutations();
const Mutation* find_mutation(std::string_view name);

}  // namespace proof
