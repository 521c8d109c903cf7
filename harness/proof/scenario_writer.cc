#include "harness/proof/scenario_writer.h"

#include <fmt/format.h>

#include <algorithm>

#include "harness/proof/prove_words.h"

namespace proof {

using namespace policy;

static constexpr int steps_of_an_early_end = 5;
static constexpr int steps_in_a_minute = 50;  // and some time to spare
static constexpr int steps_of_a_lasting_attempt = 75;
static constexpr const char* allowed =
    "allow:\n"
    "  - {oracle: training-resumes, reason: the checkpoint before the newest is tried after failures}\n";
static constexpr int steps_between_checkpoints = 15;  // three within a minute

bool ScenarioWriter::lacks(const std::string& what) {
  missing_ = what;
  return false;
}

bool ScenarioWriter::add(const State& before, const Turn& turn) {
  const Now was = now_;
  if (take(before, turn)) return true;
  now_ = was;
  return false;
}

void ScenarioWriter::entry(const std::string& when, const std::string& action) {
  now_.lines.push_back(fmt::format("  - {{when: {{{}}}, do: {}}}\n", when, action));
}

// The step that the running attempt comes to, and no further.
int ScenarioWriter::last_step() const {
  if (now_.saves_along_the_way) return now_.reached + 1;
  if (now_.lasted) return std::max(now_.saved, now_.reached) + steps_of_a_lasting_attempt;
  return now_.claimed ? std::max(now_.saved, now_.reached) + 2 : now_.saved + steps_of_an_early_end;
}

void ScenarioWriter::end_attempt(const std::string& action, bool saves) {
  const int step = last_step();
  now_.attempt_lines.push_back(now_.lines.size());
  now_.attempt_ends.push_back(fmt::format("  - {{when: {{step: {}, every: true}}, do: {}}}\n", step, action));
  entry(fmt::format("attempt: {}, step: {}", now_.attempts, step), action);
  now_.reached = std::max(now_.reached, step - 1);
  if (saves) now_.saved = step - 1;
  now_.training = false;
}

std::string ScenarioWriter::when_held(int minutes) {
  now_.minutes_held += minutes;
  return fmt::format("boot: {}, log: '^podlaunch: hold: .* \\([a-z-]+\\)$', after: {}min", now_.boots,
                     now_.minutes_held);
}

bool ScenarioWriter::take(const State& before, const Turn& turn) {
  if (!turn.observation) return take_kill(before);
  const Observation& observation = *turn.observation;
  const bool holds = turn.next.place == Place::kHeld && before.place != Place::kHeld;
  if (holds && ++now_.holds > 1) return lacks("a second hold within one boot");
  if (const auto* boot = std::get_if<BootBegan>(&observation)) {
    const bool plain = boot->configuration == 1 && boot->hardware == 1 && !boot->progress_found;
    if (!plain) return lacks("another configuration, another GPU or progress that is only found on disk");
    begin_boot();
    now_.holds = holds ? 1 : 0;
    return true;
  }
  if (std::holds_alternative<AttemptBegan>(observation)) {
    if (now_.finishing) return lacks("an attempt after the one that finishes");
    ++now_.attempts;
    now_.training = true;
    now_.sets_up = now_.claimed = now_.lasted = false;
    return true;
  }
  if (std::holds_alternative<Progressed>(observation)) {
    now_.claimed = true;
    return now_.training || lacks("progress outside an attempt");
  }
  if (std::holds_alternative<TimePassed>(observation)) {
    now_.lasted = true;
    return (now_.training && now_.claimed) || lacks("a minute of training that gets no further");
  }
  if (const auto* end = std::get_if<AttemptEnded>(&observation)) return take_failure(*end, before);
  if (const auto* failed = std::get_if<PhaseFailed>(&observation)) return take_setup_failure(*failed);
  if (std::holds_alternative<Preempted>(observation)) return take_preemption(before);
  if (before.place == Place::kHeld && std::holds_alternative<ResumeAsked>(observation))
    return take_release("{exec: [podlaunch, resume]}", 1);
  const auto* seen = std::get_if<CommitSeen>(&observation);
  if (before.place == Place::kHeld && seen != nullptr && seen->commit != 1) return take_release("upstream-commit", 1);
  return lacks(describe(before, turn).happens);
}

void ScenarioWriter::begin_boot() {
  ++now_.boots;
  now_.training = false;
  now_.failed_setups = now_.holds = now_.minutes_held = 0;
}

bool ScenarioWriter::too_far_for_a_minute() const {
  return now_.claimed && !now_.lasted && last_step() - now_.saved > steps_in_a_minute;
}

bool ScenarioWriter::take_kill(const State& before) {
  if (now_.training && too_far_for_a_minute()) return lacks("progress within a minute from far behind");
  if (now_.training) {
    end_attempt("{trainer: kills-container}", /*saves=*/false);
  } else if (before.place == Place::kHeld) {
    entry(when_held(1), "kill-container");
  } else if (before.place == Place::kConcluding) {
    entry(fmt::format("boot: {}, log: '^podlaunch: finished', after: 1min", now_.boots), "kill-container");
  } else {
    return lacks("a kill outside of training and hold");
  }
  return true;
}

bool ScenarioWriter::take_preemption(const State& before) {
  if (now_.training && too_far_for_a_minute()) return lacks("progress within a minute from far behind");
  if (now_.training) {
    end_attempt("spot-interrupt", /*saves=*/true);
  } else if (before.place == Place::kHeld) {
    entry(when_held(1), "spot-interrupt");
  } else if (before.place == Place::kConcluding) {
    entry(fmt::format("boot: {}, log: '^podlaunch: finished', after: 1min", now_.boots), "spot-interrupt");
  } else {
    return lacks("an interruption outside of training and hold");
  }
  now_.sets_up = true;  // a new container
  return true;
}

// podlaunch looks for a new commit 5, 15 and 35 minutes after it began to hold; what comes next comes later than that.
bool ScenarioWriter::take_release(const std::string& action, int minutes) {
  entry(when_held(minutes), action);
  now_.minutes_held += 120;
  return true;
}

bool ScenarioWriter::take_failure(const AttemptEnded& end, const State& before) {
  if (end.cause == Cause::kFinished) {
    now_.finishing = true;
    now_.training = false;
    return true;
  }
  const bool same = before.history.fingerprint != 0 && end.fingerprint == before.history.fingerprint;
  std::vector<Fault> faults;
  if (end.cause == Cause::kUnknown) faults = {Fault::kCrash, Fault::kSegfault};
  if (end.cause == Cause::kDeterministic) faults = {Fault::kOutOfMemory};
  const auto fault = std::find_if(faults.begin(), faults.end(),
                                  [&](Fault candidate) { return same == (candidate == now_.last_fault); });
  if (fault == faults.end()) return lacks("a failure of this cause, the same as before or another");
  if (too_far_for_a_minute()) return lacks("progress within a minute from far behind");
  if (end.older_checkpoint && !now_.saves_along_the_way) {
    now_.saves_along_the_way = true;
    now_.reached = steps_between_checkpoints * (now_.lasted ? 5 : 3);
  }
  now_.last_fault = *fault;
  switch (*fault) {
    case Fault::kCrash:
      end_attempt("{trainer: crash}", false);
      return true;
    case Fault::kSegfault:
      end_attempt("{trainer: segfault}", false);
      return true;
    case Fault::kOutOfMemory:
      end_attempt("{trainer: oom}", false);
      return true;
    case Fault::kNone:
      break;
  }
  return lacks("a failure");
}

bool ScenarioWriter::take_setup_failure(const PhaseFailed& failed) {
  if (failed.phase != Phase::kSetup || failed.cause != Cause::kTransient) return lacks("a failure of that phase");
  if (!now_.sets_up) return lacks("a setup that fails after it had succeeded");
  if (now_.failed_setups == 0) {
    now_.setup_line = now_.lines.size();
    now_.lines.emplace_back();
  }
  ++now_.failed_setups;
  now_.lines[now_.setup_line] =
      fmt::format("  - {{when: {{boot: {}}}, do: {{pip-fails: {}}}}}\n", now_.boots, now_.failed_setups);
  return true;
}

void ScenarioWriter::repeat_for_ever() {
  if (now_.failed_setups > 0) {
    now_.lines[now_.setup_line] = fmt::format("  - {{when: {{boot: {}}}, do: {{pip-fails: always}}}}\n", now_.boots);
  }
  const std::vector<std::string>& ends = now_.attempt_ends;
  if (ends.empty() || std::count(ends.begin(), ends.end(), ends.front()) != std::ssize(ends)) return;
  for (const std::size_t line : now_.attempt_lines) now_.lines[line].clear();
  now_.lines[now_.attempt_lines.front()] = ends.front();
}

std::string ScenarioWriter::text(const std::string& name, const std::string& story,
                                 const std::string& expectations) const {
  std::string timeline;
  for (const std::string& line : now_.lines) timeline += line;
  const int steps = std::max(now_.saved, now_.reached) + 100;
  return fmt::format(
      "name: {}\n"
      "story: \"{}\"\n"
      "pod: {{platform: runpod, gpus: 0, disks: {{/workspace: volume}}}}\n"
      "trainer: {{steps: {}, step-time: 1s, checkpoint-every: {}}}\n"
      "start:\n"
      "  podlaunch:\n"
      "    repo: https://github.com/nexthybrid/AReaL.git\n"
      "    ref: DL4Math\n"
      "    checkout: /workspace/AReaL\n"
      "    run: walk\n"
      "{}"
      "    setup: [pip install -e .]\n"
      "    train: [bash, examples/cloud_gsm8k/run_training_cloud.sh, 1hour]\n"
      "{}{}"
      "{}{}"
      "{}"
      "limit: 7d\n",
      name, story, steps, now_.saves_along_the_way ? steps_between_checkpoints : 100000,
      now_.saves_along_the_way ? "    checkpoints: /workspace/outputs/checkpoint-*.json\n" : "",
      timeline.empty() ? "" : "timeline:\n", timeline, expectations.empty() ? "" : "expect:\n", expectations,
      now_.saves_along_the_way ? allowed : "");
}

}  // namespace proof
