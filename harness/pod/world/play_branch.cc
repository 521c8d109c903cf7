// A play that goes on in a forked process, on disks, with services and under a kernel of its own. The fork is the
// snapshot: clock, timeline, restart history and record are what they were at that moment, and nothing of the past is
// replayed. What belongs to the other process is let go of: its tracees, its pipes, its folder.
#include <fmt/format.h>
#include <signal.h>

#include "harness/pod/world/play.h"

namespace pod {

stage::Order World::Play::changing(const stage::Change& change) {
  if (materials_.points == nullptr) return stage::GoUnwatched{};
  return materials_.points->changing(change);
}

void World::Play::changed(const stage::Change& change, long result) {
  if (materials_.points != nullptr) materials_.points->changed(change, result);
}

std::string World::Play::moment() const {
  std::string fired;
  for (const auto& line : timeline_.pending()) fired += line + ";";
  for (const NetworkRule& rule : network_rules_) fired += fmt::format("rule {} {};", rule.seen, rule.struck);
  return fmt::format("boot {} pod {} attempt {} finished {} precious {} network {} pip {} pending {}",
                     record_.boots.size(), pod_number_, attempt_.has_value(), finished_, record_.precious.size(),
                     !network_down_, pip_failures_left_, fired);
}

void World::Play::note_fault(const std::string& text, bool healed) {
  disturbed_ = true;
  event(healed ? EventKind::kHeal : EventKind::kFault, text);
  note_activity();
}

void World::Play::kill_boot(const std::string& why) {
  if (!container_) return;
  note_fault(why, /*healed=*/false);
  end_cause_ = BootEnd::kKilled;
  ::kill(container_->id, SIGKILL);
}

void World::Play::leave_the_other_play() {
  drain();  // what was printed until now is part of this play, too
  stage_->forsake();
  output_read_.reset();
  services_.clear();
  container_.reset();
  trainer_ = 0;
  if (forced_end_) stage_->cancel(*forced_end_);
  forced_end_.reset();
  manifest_reader_ = ManifestReader();
  answers_read_ = 0;
}

base::Result<void> World::Play::furnish_branch(Branch& branch) {
  leave_the_other_play();
  branched_ = true;
  left_alone_ = branch.left_alone;
  if (left_alone_) {
    network_rules_.clear();
    network_down_ = false;
    pip_failures_left_ = 0;
  }
  const std::string image = materials_.image;
  materials_ = std::move(branch.materials);
  if (materials_.image.empty()) materials_.image = image;
  record_.upstream_path = materials_.upstream_path;
  if (auto done = furnish_files(); !done) return done;
  auto disks = Disks::create_empty(materials_.folder + "/disks", scenario_.pod.disks, materials_.image);
  if (!disks) return base::fail(disks.error());
  disks_ = std::move(*disks);
  if (auto done = branch.fill(*disks_); !done) return done;
  write_provider_state();
  publish_network_rules();
  return {};
}

base::Result<UnstagedBoot> World::Play::launch_unstaged(Branch branch) {
  if (auto done = furnish_branch(branch); !done) return base::fail(done.error());
  if (auto done = start_services(/*staged=*/false); !done) return base::fail(done.error());
  auto launched = launch(/*staged=*/false);
  if (!launched) return base::fail(launched.error());
  return UnstagedBoot{std::move(*launched), std::move(output_read_), {services_.begin(), services_.end()}};
}

base::Result<WorldRecord> World::Play::branch(Branch branch) {
  if (auto done = furnish_branch(branch); !done) return base::fail(done.error());
  for (const auto& fault : branch.network) {
    event(EventKind::kFault, describe(fault));
    do_action(fault);
  }
  if (auto done = start_services(); !done) return base::fail(done.error());
  if (branch.fault.empty()) {
    launch_boot();
  } else {
    note_fault(branch.fault, /*healed=*/false);
    Boot& boot = record_.boots.back();
    if (attempt_) {
      record_.attempts[*attempt_].end = now();
      event(EventKind::kTrainerEnd, "signal 9");
      attempt_.reset();
    }
    unfinished_line_.clear();
    boot.end = now();
    boot.status = base::WaitStatus::from_raw(SIGKILL);
    boot.ended_by = BootEnd::kKilled;
    boot.best_step_after = best_step_;
    boot.disturbed = true;
    disturbed_ = false;
    observation_ = Observation();
    event(EventKind::kBootEnd, boot.status.describe());
    plan_next_boot(boot);
  }
  return play_to_the_end();
}

}  // namespace pod
