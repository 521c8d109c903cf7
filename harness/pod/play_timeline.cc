#include <fmt/format.h>
#include <signal.h>

#include <cerrno>

#include "harness/pod/play.h"
#include "harness/pod/virtual_time.h"

namespace pod {

void World::Play::schedule_timed_entries() {
  for (const auto* entry : timeline_.timed()) {
    stage_->at((*entry->when.at + entry->when.after).count(), [this, entry] {
      const int boot = static_cast<int>(record_.boots.size());
      if (entry->when.boot && *entry->when.boot != boot) return;
      timeline_.fired(*entry);
      act_now(*entry);
    });
  }
}

void World::Play::act_on(const Timeline::Due& due) {
  for (const auto* entry : due) act(*entry);
}

void World::Play::act(const scenario::TimelineEntry& entry) {
  if (entry.when.after > Duration::zero()) {
    stage_->at((now() + entry.when.after).count(), [this, &entry] { act_now(entry); });
  } else {
    act_now(entry);
  }
}

void World::Play::act_now(const scenario::TimelineEntry& entry) {
  if (ended_) return;
  disturbed_ = true;
  note_activity();
  event(EventKind::kFault, describe(entry.action));
  std::visit([this](const auto& action) { do_action(action); }, entry.action);
  if (materials_.points != nullptr && !ended_) materials_.points->disks_touched();
}

// The trainer asks at every step whether it may go on; what it is told is an error number, see fixtures/README.md.
static int order(scenario::TrainerFaultKind kind) {
  switch (kind) {
    case scenario::TrainerFaultKind::kCrash:
      return EIO;
    case scenario::TrainerFaultKind::kOutOfMemory:
      return ENOMEM;
    case scenario::TrainerFaultKind::kSegfault:
      return EFAULT;
    case scenario::TrainerFaultKind::kExitZero:
      return ECANCELED;
    case scenario::TrainerFaultKind::kHang:
      return EAGAIN;
    case scenario::TrainerFaultKind::kFinishExitOne:
      return EDOM;
  }
  return ENOENT;
}

int World::Play::order_for_trainer(const Timeline::Due& due) {
  int result = ENOENT;
  for (const auto* entry : due) {
    const auto* fault = std::get_if<scenario::TrainerFault>(&entry->action);
    // What the trainer does each time is part of the scenario's conditions, not a disturbance of one boot.
    if (fault != nullptr && entry->when.every) {
      event(EventKind::kFault, describe(entry->action));
    } else {
      act(*entry);
    }
    if (fault != nullptr) result = order(fault->kind);
  }
  return result;
}

void World::Play::interrupt_pod(Duration grace, BootEnd cause, Duration returns_after) {
  if (!container_) {
    event(EventKind::kNote, "no container runs at this moment");
    return;
  }
  end_cause_ = cause;
  returns_after_ = returns_after;
  const pid_t first = container_->id;
  if (grace <= Duration::zero()) {
    ::kill(first, SIGKILL);
    return;
  }
  ::kill(first, SIGTERM);
  forced_end_ = stage_->at((now() + grace).count(), [this, first] {
    forced_end_.reset();
    event(EventKind::kNote, "grace is over: SIGKILL");
    ::kill(first, SIGKILL);
  });
}

void World::Play::do_action(const scenario::SpotInterrupt& action) {
  interrupt_pod(action.grace.value_or(policy_.spot_grace), BootEnd::kInterrupted, policy_.spot_return);
}

void World::Play::do_action(const scenario::KillContainer&) {
  interrupt_pod(Duration::zero(), BootEnd::kKilled, {});
}

void World::Play::do_action(const scenario::RecreatePod&) {
  interrupt_pod(policy_.spot_grace, BootEnd::kRecreated, policy_.spot_return);
}

void World::Play::do_action(const scenario::UpstreamCommit& action) {
  if (auto done = materials_.hands.commit_upstream(action, now()); !done) give_up(done.error());
}

void World::Play::do_action(const scenario::UserEdit& action) {
  auto done = materials_.hands.edit(disks_->host_path(scenario_.start.checkout), action);
  if (!done) return give_up(done.error());
  record_.precious.push_back(std::move(*done));
}

void World::Play::do_action(const scenario::GitDamage& action) {
  if (auto done = materials_.hands.damage(disks_->host_path(scenario_.start.checkout), action.kind); !done)
    give_up(done.error());
}

void World::Play::do_action(const scenario::TrainerFault&) {}  // the answer to the trainer's mark does it

void World::Play::do_action(const scenario::PipFails& action) {
  pip_failures_left_ = action.times == 0 ? -1 : action.times;
}

}  // namespace pod
