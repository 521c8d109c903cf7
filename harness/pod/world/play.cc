#include "harness/pod/world/play.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <fstream>

#include "base/check.h"
#include "harness/pod/virtual_time.h"

namespace pod {

using scenario::Outcome;

// This many boots in a row that end by themselves without progress end the world: enough for the oracle to call it a
// loop.
static constexpr int kIdleBootsMax = 6;
static constexpr int kIdleBootsBesideFaultsMax = 30;
// Whoever else watches such a boot has to sit through it.
static constexpr std::chrono::seconds kRestWhenLeftAlone{60};

static std::string read_all(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

static RestartPolicy adjusted(const scenario::Pod& pod) {
  const RestartPolicy* policy = find_restart_policy(pod.platform);
  CHECK(policy != nullptr);  // the scenario was checked for it
  RestartPolicy result = *policy;
  if (pod.restart_tick) result.tick = *pod.restart_tick;
  return result;
}

World::Play::Play(const scenario::Scenario& scenario, Materials materials)
    : scenario_(scenario),
      materials_(std::move(materials)),
      policy_(adjusted(scenario.pod)),
      timeline_(scenario.timeline),
      clock_(materials_.epoch_seconds * stage::kSecond),
      disks_can_fail_(std::ranges::any_of(scenario.timeline,
                                          [](const auto& entry) {
                                            return std::holds_alternative<scenario::DiskFault>(entry.action) ||
                                                   std::holds_alternative<scenario::NvidiaSmiFault>(entry.action);
                                          })),
      stage_(std::make_unique<stage::Stage>(clock_, *this)) {
  if (!disks_can_fail_) return;
  std::vector<std::string> mount_paths{"/", stage::kDriverPlace};
  for (const auto& disk : scenario.pod.disks) mount_paths.push_back(disk.mount_path);
  stage_->let_disks_fail(std::move(mount_paths));
}

base::Result<WorldRecord> World::Play::run() {
  const auto begin = std::chrono::steady_clock::now();
  if (auto done = furnish(); !done) return base::fail(done.error());
  if (auto done = start_services(); !done) return base::fail(done.error());
  schedule_timed_entries();
  stage_->at(scenario_.limit.count(), [this] {
    event(EventKind::kNote, "the scenario's limit is reached");
    if (ended_as_asked_ && !container_) return end_world(*ended_as_asked_);
    end_world(finished_ ? Outcome::kCompleted : attempt_ ? Outcome::kRunning : Outcome::kHeld);
  });
  begin_boot();
  auto record = play_to_the_end();
  if (record) record->real_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return record;
}

base::Result<WorldRecord> World::Play::play_to_the_end() {
  while (!ended_) {
    if (stage_->run() == stage::Pause::kStopped) continue;
    give_up(base::Error{.code = base::ErrorCode::kSystem,
                        .operation = "go on with the world",
                        .path = {},
                        .system_errno = 0,
                        .detail = "nothing is left that could happen",
                        .remedy = "Report this as an error of simrun"});
  }
  finish_record();
  if (error_) return base::fail(*error_);
  return record_;
}

void World::Play::begin_boot() {
  boot_planned_ = false;
  const int number = static_cast<int>(record_.boots.size()) + 1;
  Boot boot;
  boot.number = number;
  boot.pod_id = fmt::format("pod-{}", pod_number_);
  boot.start = now();
  boot.best_step_before = best_step_;
  record_.boots.push_back(boot);
  event(EventKind::kBoot, boot.pod_id);
  stage_->seed_randomness(static_cast<std::uint64_t>(number));
  end_cause_ = BootEnd::kOwnExit;
  ended_as_asked_.reset();
  uses_in_boot_.clear();
  pay(true);
  write_provider_state();

  // What the timeline does to disks and network comes before the first instruction; what it does to processes after.
  after_launch_.clear();
  for (const auto* entry : timeline_.boot_begins(number)) {
    const bool on_processes = std::holds_alternative<scenario::SpotInterrupt>(entry->action) ||
                              std::holds_alternative<scenario::KillContainer>(entry->action) ||
                              std::holds_alternative<scenario::RecreatePod>(entry->action) ||
                              std::holds_alternative<scenario::Exec>(entry->action);
    if (on_processes) {
      after_launch_.push_back(entry);
    } else {
      act(*entry);
    }
  }
  if (ended_) return;
  manifest_ = manifest_reader_.read(*disks_);
  observation_ = Observation();
  answers_read_ = read_all(materials_.answers_log).size();
  if (materials_.points != nullptr) materials_.points->boot_begins(number);
  launch_boot();
}

base::Result<Launched> World::Play::launch(bool staged) {
  const Boot& boot = record_.boots.back();
  std::array<int, 2> output{};
  CHECK(::pipe2(output.data(), O_CLOEXEC) == 0);
  ::fcntl(output[0], F_SETFL, O_NONBLOCK);
  output_read_.reset(output[0]);
  base::UniqueFd write_end(output[1]);
  Launch launch;
  launch.command = scenario_.start.command;
  launch.environment = materials_.environment;
  launch.environment["RUNPOD_POD_ID"] = boot.pod_id;
  launch.environment["HOSTNAME"] = boot.pod_id;
  launch.hostname = boot.pod_id;
  launch.uptime_file = uptime_file_;
  launch.boot_id_file = boot_id_file_;
  launch.gpus_file = gpus_file_;
  launch.output = write_end.get();
  launch.fault_points = traps();
  launch.staged = staged;
  return launch_container(*disks_, launch);
}

void World::Play::launch_boot() {
  auto launched = launch(/*staged=*/true);
  if (!launched) return give_up(launched.error());
  container_ = std::move(*launched);
  if (auto adopted = stage_->adopt(container_->id, stage::Troupe::kPod); !adopted) return give_up(adopted.error());
  container_->go();
  for (const auto* entry : Timeline::Due(after_launch_)) act(*entry);
  note_activity();
}

void World::Play::ended(const stage::Process& process, base::WaitStatus status) {
  if (process.id == trainer_) {
    trainer_ = 0;
    if (attempt_) {
      record_.attempts[*attempt_].end = now();
      event(EventKind::kTrainerEnd, status.describe());
      attempt_.reset();
    }
    note_activity();
  }
  if (services_.contains(process.id)) {
    return give_up(base::Error{
        .code = base::ErrorCode::kSystem,
        .operation = "keep the world's services up",
        .path = process.program,
        .system_errno = 0,
        .detail = "it ended by itself: " + status.describe() + "\n" + read_all(materials_.folder + "/services.log"),
        .remedy = "Report this as an error of simrun"});
  }
  end_visit(process.id, status);
  if (container_ && process.id == container_->id) end_boot(status);
}

void World::Play::end_boot(base::WaitStatus status) {
  drain();
  if (!unfinished_line_.empty()) take_line(std::move(unfinished_line_));
  unfinished_line_.clear();
  const std::string failure = container_->failure();
  container_.reset();
  if (forced_end_) stage_->cancel(*forced_end_);
  forced_end_.reset();
  if (!failure.empty() && failure[0] != '\0') {
    return give_up(base::Error{.code = base::ErrorCode::kInvalidInput,
                               .operation = "run the start command",
                               .path = {},
                               .system_errno = 0,
                               .detail = failure,
                               .remedy = "Check `start:` in the scenario; the pod has the programs of this machine"});
  }
  Boot& boot = record_.boots.back();
  boot.end = now();
  boot.status = status;
  boot.ended_by = end_cause_;
  boot.best_step_after = best_step_;
  boot.disturbed = disturbed_;
  note_starts(boot);
  disturbed_ = false;
  const Manifest after = manifest_reader_.read(*disks_);
  auto [changed, listing_changed] = compare(manifest_, after);
  boot.trace.changed = std::move(changed);
  boot.trace.listing_changed = std::move(listing_changed);
  boot.trace.read_set = observation_.take_read_set();
  boot.trace.unobserved.assign(stage_->not_covered().begin(), stage_->not_covered().end());
  boot.trace.answers = take_answers();
  event(EventKind::kBootEnd, status.describe());
  if (materials_.points != nullptr) materials_.points->boot_ended(boot.number);
  plan_next_boot(boot);
}

// What the services have answered since the boot began.
std::vector<std::string> World::Play::take_answers() {
  std::vector<std::string> lines;
  const std::string answers = read_all(materials_.answers_log);
  for (std::size_t from = answers_read_; from < answers.size();) {
    const auto end = std::min(answers.find('\n', from), answers.size());
    lines.push_back(answers.substr(from, end - from));
    from = end + 1;
  }
  return lines;
}

void World::Play::plan_next_boot(const Boot& boot) {
  if (left_alone_) return end_world(Outcome::kExited);
  if (boot.ended_by == BootEnd::kStopped) {
    pay(false);
    write_provider_state();
    if (!timeline_.waits_for_later()) end_world(*ended_as_asked_);
    return;
  }
  if (boot.ended_by == BootEnd::kInterrupted || boot.ended_by == BootEnd::kRecreated) {
    pay(false);
    boot_planned_ = true;
    stage_->at((now() + returns_after_).count(), [this] { return_pod(); });
    return;
  }
  if (loops()) return end_world(Outcome::kLooped);
  const auto next = next_start(policy_, restarts_, boot.start, boot.end, boot.status.success());
  if (!next) {
    if (!timeline_.waits_for_later()) end_world(finished_ ? Outcome::kCompleted : Outcome::kExited);
    return;
  }
  boot_planned_ = true;
  stage_->at(next->count(), [this] {
    boot_planned_ = false;
    if (!ended_as_asked_) begin_boot();
  });
}

// A pod costs from its first boot until it is taken away, whether or not a container runs in it.
void World::Play::pay(bool from_now_on) {
  if (paid_since_ && !from_now_on) record_.billed += now() - *paid_since_;
  if (!from_now_on) paid_since_.reset();
  if (from_now_on && !paid_since_) paid_since_ = now();
}

bool World::Play::loops() const {
  // What is still to come from outside may change what the boots find.
  if (timeline_.waits_for_later() || pip_failures_left_ > 0 || due_later_ > 0) return false;
  int idle = 0;
  for (auto boot = record_.boots.rbegin(); boot != record_.boots.rend(); ++boot) {
    const bool progressed = boot->best_step_after > boot->best_step_before;
    if (boot->ended_by != BootEnd::kOwnExit || boot->disturbed || progressed) break;
    ++idle;
  }
  // A fault that waits for a request which does not come changes nothing any more.
  return idle >= (network_may_change() ? kIdleBootsBesideFaultsMax : kIdleBootsMax);
}

void World::Play::note_activity() {
  if (settle_timer_) stage_->cancel(*settle_timer_);
  const Duration settle = left_alone_ ? std::min<Duration>(scenario_.settle, kRestWhenLeftAlone) : scenario_.settle;
  settle_timer_ = stage_->at((now() + settle).count(), [this] {
    settle_timer_.reset();
    consider_settled();
  });
}

void World::Play::consider_settled() {
  const bool more_will_come = timeline_.waits_for_later() || due_later_ > 0 || network_heals_later();
  if (attempt_ || boot_planned_ || (more_will_come && !left_alone_)) return note_activity();
  if (ended_as_asked_ && !container_) return end_world(*ended_as_asked_);
  if (!finished_) {
    for (const auto& line : stage_->waiting()) event(EventKind::kNote, line);
  }
  end_world(finished_ ? Outcome::kCompleted : Outcome::kHeld);
}

void World::Play::end_world(Outcome outcome) {
  if (ended_) return;
  record_.outcome = outcome;
  ended_ = true;
  stage_->stop();
}

void World::Play::give_up(base::Error error) {
  if (!error_) error_ = std::move(error);
  ended_ = true;
  stage_->stop();
}

void World::Play::finish_record() {
  record_.end = now();
  pay(false);
  drain();
  if (!record_.boots.empty() && container_) {
    Boot& boot = record_.boots.back();
    boot.end = now();
    boot.best_step_after = best_step_;
    boot.trace.answers = take_answers();
    boot.disturbed = disturbed_;
    note_starts(boot);
  }
  if (attempt_) record_.attempts[*attempt_].end = now();
  record_.not_covered.assign(stage_->not_covered().begin(), stage_->not_covered().end());
  if (clock_.charged_computation()) {
    event(EventKind::kNote, "long computation was charged to the clock: another run may differ in its times");
  }
  stage_.reset();  // nothing moves any more
  if (disks_) {
    record_.disks = disks_->views();
    record_.rest_of_pod = disks_->container_root();
    // What a pod's end takes with it is not there to be looked at.
    if (record_.outcome == Outcome::kStopped || record_.outcome == Outcome::kTerminated) {
      record_.rest_of_pod.clear();
      std::erase_if(record_.disks, [&](const DiskView& disk) {
        return disk.kind == scenario::DiskKind::kContainer ||
               (disk.kind == scenario::DiskKind::kVolume && record_.outcome == Outcome::kTerminated);
      });
    }
  }
  record_.pending = timeline_.pending();
  report_idle_network_rules();
  record_.pending_timeline = !record_.pending.empty();
}

}  // namespace pod
