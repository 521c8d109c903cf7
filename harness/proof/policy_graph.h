// The world around the policy as a finite graph: every history it can come to, and everything that can happen next.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "launcher/policy/policy.h"

namespace proof {

// The functions on trial. Tests put bad ones here.
struct PolicyOnTrial {
  std::function<policy::Decision(const policy::History&, const policy::Observation&, const policy::Limits&)> decide =
      policy::decide;
  std::function<policy::History(policy::History, const policy::Observation&, const policy::Decision&)> advance =
      policy::advance;
  policy::Limits limits;
  bool only_scenarios = false;  // only such turns as a scenario's timeline has words for
};

// What the launcher is doing.
enum class Place : std::uint8_t {
  kOff,         // no process; the platform will start one
  kWorking,     // bootstrap, training, or the wait between attempts
  kHeld,        // alive and idle
  kConcluding,  // the run is done: publishing, stopping
};

// Whether the training of a scenario's world writes checkpoints as it goes: a property of the world that the end of the
// first attempt shows. Where it does, there is an older one from then on.
enum class SavesAlongTheWay : std::uint8_t { kUndecided, kNo, kYes };

struct State {
  policy::History history;
  Place place = Place::kOff;
  // What the proof remembers by itself, in case the policy on trial forgets it.
  bool done = false;  // an attempt finished the run, and that was written down
  bool held = false;  // for a reason that a restart does not end
  // Of the attempt that runs, or that ran when all was killed: it has lasted for a minute; it claimed to get further.
  bool lasted = false;
  bool claimed = false;
  // Known only where turns are those of scenarios.
  bool deterministic = false;  // the last failure was
  SavesAlongTheWay saves = SavesAlongTheWay::kUndecided;
};

// One thing that happens, what the policy says to it, and what is so afterwards.
struct Turn {
  std::optional<policy::Observation> observation;  // absent: everything is killed without a word
  std::optional<policy::Decision> decision;        // absent with it
  State next;
  bool progress = false;  // the run got further, as the proof sees it: a claim of an attempt that lasted
};

// Two states that differ only in ways that no decision can tell apart have the same key. Identities count only by being
// equal or not, counters only up to their limits.
std::uint64_t key_of(const State& state, const policy::Limits& limits);
State state_of(std::uint64_t key);

// Everything that can happen in this state, in an order that does not change. `turns` is overwritten.
void list_turns(const PolicyOnTrial& trial, const State& state, std::vector<Turn>& turns);

// The turn that `observation` leads to.
Turn take_turn(const PolicyOnTrial& trial, const State& state, const policy::Observation& observation);

}  // namespace proof
