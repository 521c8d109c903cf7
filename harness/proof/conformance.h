// Does podlaunch decide as its model says? Seeded walks through the policy graph become worlds with the real binary,
// and the decisions that it wrote down, as `podlaunch status --json` tells them, are held against those of the walk.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

#include "harness/explore/workers.h"
#include "harness/proof/policy_graph.h"

namespace proof {

struct Walk {
  std::uint64_t seed = 0;
  std::vector<std::string> happens;   // each turn in words
  std::vector<std::string> expected;  // "attempt-ended: hold (same-failure)", in order
  std::string scenario;
};

// The same for the same seed, on every machine. Only such turns are taken as a timeline has words for.
Walk random_walk(const PolicyOnTrial& trial, std::uint64_t seed);

// The decisions that `podlaunch status --json` tells, in the same words; nothing when it tells none.
std::vector<std::string> decisions_in(const std::string& status_json);

struct Conformance {
  std::uint64_t first_seed = 1;
  int walks = 10;
  int workers = 1;
};

// 0: all walks were decided as the model says. 1: one was not; its scenario is kept in a file that `out` names.
// 3: a world could not be played.
int check_conformance(std::ostream& out, const Conformance& conformance, explore::Settings settings);

}  // namespace proof
