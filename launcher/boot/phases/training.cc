#include <fmt/chrono.h>

#include <ctime>
#include <regex>

#include "launcher/base/glob.h"
#include "launcher/base/helper.h"
#include "launcher/boot/keeper/say.h"
#include "launcher/boot/nodes.h"
#include "launcher/boot/notify.h"
#include "launcher/boot/paid_time.h"
#include "launcher/boot/phases/phases.h"
#include "launcher/ledger/ledger.h"
#include "launcher/pod/own_code.h"
#include "launcher/pod/platform.h"
#include "launcher/training/failure.h"
#include "launcher/training/step.h"
#include "launcher/training/supervise.h"

namespace boot {

using config::DoneWhen;

// Of the platform's time between SIGTERM and SIGKILL, most is the training's; the rest writes the ledger.
base::Milliseconds grace_for_child(const Boot& boot) {
  using base::Milliseconds;
  const Milliseconds all = boot.config.grace.value_or(pod::grace_of(pod::platform(boot.environment)));
  return all - std::min(Milliseconds(1000), all / 5);
}

namespace {

// One attempt: what is learned from its output, and what becomes of it.
class Attempt {
 public:
  explicit Attempt(Boot& boot) : boot_(boot), steps_(boot.config.step_regex) {
    for (const DoneWhen& done : boot.config.done_when) {
      if (done.kind == DoneWhen::Kind::kLog) done_patterns_.emplace_back(done.pattern, std::regex::icase);
    }
  }

  policy::Decision run();

 private:
  training::Supervision plan();
  void see(std::string_view line);
  bool tick();
  bool others_go_on();
  bool saved_something();
  void record_progress();
  bool is_done(const training::Ended& ended);
  bool file_says_done();
  policy::Decision judge(const training::Ended& ended, bool killed_for_memory);
  base::Result<std::string> look(const std::string& what, const std::function<std::string()>& work);
  training::CheckpointSurvey survey();
  void put_checkpoint_back();

  Boot& boot_;
  training::StepWatch steps_;
  training::RootError error_;
  std::vector<std::regex> done_patterns_;
  bool log_says_done_ = false;
  std::string trouble_of_others_;
  bool ended_for_others_ = false;
};

}  // namespace

training::Supervision Attempt::plan() {
  training::Supervision supervision;
  supervision.program.arguments = training_command(boot_);
  supervision.program.folder = boot_.config.checkout.string();
  supervision.program.environment = boot_.config.environment;
  auto& environment = supervision.program.environment;
  if (!boot_.gpu_verdict.masked.empty()) {
    environment.emplace_back("CUDA_VISIBLE_DEVICES", fmt::format("{}", fmt::join(boot_.gpu_verdict.masked, ",")));
  }
  environment.emplace_back("PODLAUNCH_RUN_ID", boot_.run);
  environment.emplace_back("PODLAUNCH_ATTEMPT", std::to_string(boot_.journal.memory().attempts));
  environment.emplace_back("PODLAUNCH_RESUME_FROM", boot_.checkpoints.resume_from);
  supervision.spared = [this] { return boot_.spared(); };
  supervision.grace = grace_for_child(boot_);
  supervision.silence_max = boot_.config.stall_timeout;
  supervision.lawful_until = [this] { return boot_.journal.lawful_until(); };
  supervision.lease_descriptor = [this] { return boot_.journal.keeper().descriptor(); };
  supervision.on_output = [this](std::string_view bytes) { boot_.journal.keep_log(bytes); };
  supervision.on_line = [this](std::string_view line) { see(line); };
  supervision.on_tick = [this] { return tick(); };
  // Written before the training has ended: the platform may not leave the time for it afterwards.
  supervision.on_stop = [this] {
    boot_.notifier.start(notification(boot_, Event::kPreempted), boot_);
    boot_.journal.observe(policy::Preempted{}, {.phase = "training"});
  };
  supervision.on_pause = [](int signal, pid_t group) {
    say_phase("training", "it was stopped by signal {} and does nothing until somebody continues it: kill -CONT -{}",
              signal, group);
  };
  supervision.still_alive = [this] { return saved_something(); };
  return supervision;
}

void Attempt::see(std::string_view line) {
  steps_.see(line);
  error_.see(line);
  for (const std::regex& pattern : done_patterns_) {
    log_says_done_ = log_says_done_ || std::regex_search(line.begin(), line.end(), pattern);
  }
}

// Work that looks at disks, as far as time is left for it.
base::Result<std::string> Attempt::look(const std::string& what, const std::function<std::string()>& work) {
  if (boot_.waiter.stop_signal() != 0 && boot_.journal.history().ledger_lost)
    return base::fail(base::Error{base::ErrorCode::kTimedOut, what, {}, 0, "the disk hangs already", {}});
  if (boot_.waiter.stop_signal() != 0) return base::call_last_helper(boot_.waiter, what, base::Milliseconds(700), work);
  return base::call_helper(boot_.waiter, what, base::Seconds(60), work);
}

training::CheckpointSurvey Attempt::survey() {
  if (boot_.config.checkpoints.empty()) return {};
  const auto answer = look("look at the checkpoints",
                           [this] { return training::survey_checkpoints(boot_.config.checkpoints).to_json(); });
  if (!answer) return {};
  return training::CheckpointSurvey::from_json(*answer).value_or(training::CheckpointSurvey());
}

// A training that prints nothing for long but saves checkpoints has not stalled.
bool Attempt::saved_something() {
  const training::CheckpointSurvey now = survey();
  const bool saved = now.number && (!boot_.checkpoints.number || *now.number > *boot_.checkpoints.number);
  if (saved) boot_.checkpoints = now;
  return saved;
}

// The high-water mark across all attempts: a step that was reached before is no progress, and step 0 is where everyone
// begins.
void Attempt::record_progress() {
  const auto best = boot_.journal.memory().best_step;
  if (steps_.best().value_or(0) <= best.value_or(0)) return;
  boot_.journal.observe(policy::Progressed{}, {.step = steps_.best()});
}

// A training that waits for a node which is held prints nothing, and costs as much as one that works: its log says why,
// and after a while it is ended. A hold that is released soon costs nobody an attempt.
bool Attempt::others_go_on() {
  constexpr base::Seconds kBearFor{300};
  look_at_other_nodes(boot_);
  const auto held = boot_.nodes.held(base::Clock::now());
  const std::string trouble = held ? held->text : "";
  if (trouble != trouble_of_others_) say_phase("training", "{}", held ? trouble : "the other nodes work again");
  trouble_of_others_ = trouble;
  ended_for_others_ = held && held->lasting >= kBearFor;
  return !ended_for_others_;
}

// Once a minute. False when the attempt is to end.
bool Attempt::tick() {
  boot_.journal.tend();
  boot_.companions.tend(boot_.waiter);
  if (!boot_.nodes.told) tell_other_nodes(boot_);
  record_progress();
  if (!others_go_on()) return false;
  if (budget_is_spent(boot_)) return false;
  // The first minute is written at once: what an attempt claims counts from then on, also after a kill.
  const bool first_minute = boot_.journal.history().attempt_seconds < policy::History::lasting_seconds;
  if (first_minute || unrecorded_time(boot_) >= kRecordTimeEvery) record_time(boot_);
  return true;
}

bool Attempt::file_says_done() {
  std::vector<std::string> patterns;
  for (const DoneWhen& done : boot_.config.done_when) {
    const std::filesystem::path pattern = done.pattern;
    if (done.kind == DoneWhen::Kind::kFile)
      patterns.push_back(pattern.is_absolute() ? done.pattern : (boot_.config.checkout / pattern).string());
  }
  if (patterns.empty()) return false;
  const auto answer = look("look for the file that says done", [&] {
    for (const std::string& pattern : patterns) {
      if (!base::glob(pattern).empty()) return std::string("yes");
    }
    return std::string("no");
  });
  return answer && *answer == "yes";
}

bool Attempt::is_done(const training::Ended& ended) {
  for (const DoneWhen& done : boot_.config.done_when) {
    if (done.kind != DoneWhen::Kind::kExitCode || ended.stop_signal != 0) continue;
    if (ended.status == base::WaitStatus{base::WaitStatus::Kind::kExited, done.exit_code}) return true;
  }
  return log_says_done_ || file_says_done();
}

// The attempt from the checkpoint before the newest failed as well: the newest was not to blame.
void Attempt::put_checkpoint_back() {
  if (boot_.checkpoints.whole_to.empty()) return;
  const auto answer = base::call_helper(boot_.waiter, "put the newest checkpoint back", base::Seconds(60), [this] {
    return std::string(training::put_back(boot_.checkpoints) ? "yes" : "no");
  });
  if (answer && *answer == "yes") say_phase("checkpoints", "put back: {}", boot_.checkpoints.whole_from);
  boot_.checkpoints.whole_to.clear();
}

policy::Decision Attempt::judge(const training::Ended& ended, bool killed_for_memory) {
  record_progress();
  if (ended.dropped_bytes > 0)
    say_phase("training", "{} bytes of output were not shown: nobody read them", ended.dropped_bytes);
  const training::CheckpointSurvey now = survey();
  ledger::Facts facts{
      .phase = "training", .commit = boot_.commit, .status = ended.status.describe(), .step = steps_.best()};
  if (is_progress(boot_, now)) {
    facts.checkpoint = now.resume_from;
    boot_.journal.observe(policy::Progressed{}, {.commit = boot_.commit, .checkpoint = now.resume_from});
  }
  policy::AttemptEnded end{.cause = policy::Cause::kFinished, .fingerprint = 0, .older_checkpoint = now.whole > 1};
  if (is_done(ended)) {
    say_phase("training", "done: {}", ended.status.describe());
    // In the same record: a budget that is just used up must not stand before the end.
    end.seconds = static_cast<std::uint64_t>(take_unrecorded_time(boot_).count());
    return boot_.journal.observe(end, std::move(facts));
  }
  record_time(boot_);
  if (ended.stop_signal != 0) {
    say_phase("training", "told to stop by signal {}; the training ended with {}", ended.stop_signal,
              ended.status.describe());
    (void)boot_.journal.note("attempt-stopped", std::move(facts));
    return policy::Leave{};
  }
  training::Failure failure = training::describe_failure(ended.status, error_.text(), killed_for_memory);
  if (ended.stalled) failure.signature = failure.text = "the training stalled: no output and no checkpoint";
  if (ended.cut_off) failure.signature = failure.text = "the training was ended: its time budget is used up";
  if (ended.status.success() && !ended.stalled && !ended.cut_off)
    failure.text = "exit 0, but not done as --done-when says";
  if (ended_for_others_) {
    failure.cause = policy::Cause::kPreempted;
    failure.text = "the training was ended: " + trouble_of_others_;
  }
  facts.text = boot_.redactor.redact(failure.text);
  say_phase("training", "failed after {} s: {}", ended.lasted.count(), facts.text);
  boot_.look_around_after_failure = true;
  end.cause = failure.cause;
  end.older_checkpoint = end.older_checkpoint && training::may_blame_checkpoint(failure);
  put_checkpoint_back();
  end.fingerprint = ledger::fingerprint(failure.signature);
  return boot_.journal.observe(end, std::move(facts));
}

policy::Decision Attempt::run() {
  // A file that says done, left by an attempt whose end nobody could write down.
  if (boot_.journal.memory().attempts > 0 && file_says_done()) {
    say_phase("training", "done already: the file that says so is there");
    return boot_.journal.observe(policy::AttemptEnded{.cause = policy::Cause::kFinished},
                                 {.phase = "training", .commit = boot_.commit});
  }
  // What came before the attempt is paid for, and is no training.
  if (const policy::Decision spent = record_time(boot_); !std::holds_alternative<policy::Run>(spent)) return spent;
  const policy::Decision decision =
      boot_.journal.observe(policy::AttemptBegan{}, {.phase = "training", .commit = boot_.commit});
  if (!std::holds_alternative<policy::Run>(decision)) return decision;
  say_phase("training", "attempt {}: {}", boot_.journal.memory().attempts, fmt::join(training_command(boot_), " "));
  boot_.journal.mark_log(fmt::format("attempt {}, {:%Y-%m-%d %H:%M:%S} UTC", boot_.journal.memory().attempts,
                                     fmt::gmtime(std::time(nullptr))));
  pod::give_back_own_code(boot_.disks);
  const long kills_before = training::out_of_memory_kills();
  const auto ended = training::supervise(boot_.waiter, plan());
  if (!ended && boot_.waiter.stop_signal() != 0) return boot_.journal.observe(policy::Preempted{});
  if (!ended) {
    const std::string text = ended.error().message();
    return boot_.journal.observe(
        policy::AttemptEnded{.cause = policy::Cause::kEnvironment, .fingerprint = ledger::fingerprint(text)},
        {.phase = "training", .text = text});
  }
  if (ended->lease_lost) {
    say_phase("training", "ended with {}: another launcher may have the run by now", ended->status.describe());
    return regain_run(boot_);
  }
  return judge(*ended, training::out_of_memory_kills() > kills_before);
}

// torchrun would wait for it, and be paid for.
static std::optional<policy::Decision> hold_with_others(Boot& boot) {
  look_at_other_nodes(boot);
  const auto held = boot.nodes.held(base::Clock::now());
  if (!held) return std::nullopt;
  say_phase("training", "not begun: {}", held->text);
  return boot.journal.observe(policy::Blocked{policy::Obstacle::kNodeHeld}, {.phase = "training", .text = held->text});
}

// A training may delete the checkout that it runs in; without it no attempt would begin any more.
static bool checkout_is_gone(Boot& boot) {
  const auto answer = base::call_helper(boot.waiter, "look for the checkout", base::Seconds(60), [&] {
    std::error_code code;
    const bool empty = std::filesystem::is_empty(boot.config.checkout, code);
    return std::string(empty || code == std::errc::no_such_file_or_directory ? "gone" : "there");
  });
  return answer && *answer == "gone";
}

// What an attempt that failed may have taken away: a GPU, the checkout.
static policy::Decision look_around_after_failure(Boot& boot) {
  const policy::Decision gpus = check_gpus(boot);
  if (!std::holds_alternative<policy::Run>(gpus) || !checkout_is_gone(boot)) return gpus;
  say_phase("checkout", "gone since the boot began: bringing it up again");
  const policy::Decision checkout = bring_up_checkout(boot);
  return std::holds_alternative<policy::Run>(checkout) ? set_up(boot) : checkout;
}

policy::Decision train(Boot& boot) {
  if (std::exchange(boot.look_around_after_failure, false)) {
    const policy::Decision decision = look_around_after_failure(boot);
    boot.look_around_after_failure = !std::holds_alternative<policy::Run>(decision);
    if (boot.look_around_after_failure) return decision;
  }
  if (const auto decision = hold_with_others(boot)) return *decision;
  return Attempt(boot).run();
}

}  // namespace boot
