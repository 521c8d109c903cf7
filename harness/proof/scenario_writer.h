// A path through the policy graph as a scenario: a world whose podlaunch takes the same turns.
//
// The world's training does a step a second and saves nothing by itself, unless its first attempt leaves an older
// checkpoint. Where an attempt ends early, it ends within its first minute; where it is to last and to get further, the
// step is chosen beyond all that was reached before, and more than a minute away. A training that saves along the way
// fails wherever the first attempt did.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "harness/proof/policy_graph.h"

namespace proof {

class ScenarioWriter {
 public:
  // False when a timeline has no words for this turn here; `missing` then says what for. The writer is left as it was.
  bool add(const State& before, const Turn& turn);
  const std::string& missing() const { return missing_; }

  // The turns added last repeat for ever. Where all attempts end alike, one entry says so; the setup that failed last
  // fails always.
  void repeat_for_ever();

  int boots() const { return now_.boots; }
  int attempts() const { return now_.attempts; }

  // `expectations` are lines of YAML below `expect:`.
  std::string text(const std::string& name, const std::string& story, const std::string& expectations) const;

 private:
  enum class Fault { kNone, kCrash, kSegfault, kOutOfMemory };

  // What is so in the world after the turns that were added.
  struct Now {
    std::vector<std::string> lines;
    int boots = 0;
    int attempts = 0;
    int saved = 0;    // the step of the newest checkpoint
    int reached = 0;  // the furthest step
    bool saves_along_the_way = false;
    bool training = false;
    bool claimed = false;
    bool lasted = false;
    bool finishing = false;
    bool sets_up = true;  // the container is new: setup runs, and may fail
    int failed_setups = 0;
    std::size_t setup_line = 0;
    std::vector<std::size_t> attempt_lines;  // those that end an attempt,
    std::vector<std::string> attempt_ends;   // and without the attempt's number
    int holds = 0;                           // in this boot
    int minutes_held = 0;                    // until the last thing that happened in this hold
    Fault last_fault = Fault::kNone;
  };

  bool lacks(const std::string& what);
  bool take(const State& before, const Turn& turn);
  bool take_kill(const State& before);
  bool take_preemption(const State& before);
  bool take_failure(const policy::AttemptEnded& end, const State& before);
  bool take_setup_failure(const policy::PhaseFailed& failed);
  bool take_release(const std::string& action, int minutes);
  void begin_boot();
  void end_attempt(const std::string& action, bool saves);
  void entry(const std::string& when, const std::string& action);
  std::string when_held(int minutes);
  int last_step() const;
  bool too_far_for_a_minute() const;

  Now now_;
  std::string missing_;
};

}  // namespace proof
