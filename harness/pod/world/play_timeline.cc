#include <fmt/format.h>
#include <signal.h>

#include <cerrno>

#include "harness/pod/virtual_time.h"
#include "harness/pod/world/play.h"

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
    ++due_later_;
    stage_->at((now() + entry.when.after).count(), [this, &entry] {
      --due_later_;
      act_now(entry);
    });
  } else {
    act_now(entry);
  }
}

void World::Play::act_now(const scenario::TimelineEntry& entry) {
  if (ended_ || left_alone_) return;
  disturbed_ = true;
  starts_.clear();
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
    case scenario::TrainerFaultKind::kSaveExitOne:
      return ENOSPC;
    case scenario::TrainerFaultKind::kKillsContainer:
      return ENOENT;  // it will not come to read this
  }
  return ENOENT;
}

int World::Play::order_for_trainer(const Timeline::Due& due) {
  int result = ENOENT;
  if (left_alone_) return result;
  for (const auto* entry : due) {
    const auto* fault = std::get_if<scenario::TrainerFault>(&entry->action);
    // What the trainer does each time is part of the scenario's conditions, not a disturbance of one boot.
    if (fault != nullptr && entry->when.every) {
      event(EventKind::kFault, describe(entry->action));
    } else {
      act(*entry);
    }
    if (fault == nullptr) continue;
    result = order(fault->kind);
    // The kernel's own doing, so the boot ended by itself: nobody outside had a hand in it.
    const bool kills = fault->kind == scenario::TrainerFaultKind::kKillsContainer;
    if (kills && container_) ::kill(container_->id, SIGKILL);
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
  // Of a pod that was stopped: it is started again, on another host.
  if (ended_as_asked_ == scenario::Outcome::kStopped && !container_) return return_pod();
  interrupt_pod(policy_.spot_grace, BootEnd::kRecreated, policy_.spot_return);
}

void World::Play::do_action(const scenario::UpstreamCommit& action) {
  if (auto done = materials_.hands.commit_upstream(action, now()); !done) give_up(done.error());
}

void World::Play::do_action(const scenario::UserEdit& action) {
  auto done = materials_.hands.edit(disks_->host_path(scenario_.start.checkout), action, record_.precious);
  if (!done) pass_over(done.error());
}

void World::Play::do_action(const scenario::GitDamage& action) {
  take_with_it([&] {
    auto done = materials_.hands.damage(disks_->host_path(scenario_.start.checkout), action.kind);
    if (!done) pass_over(done.error());
  });
}

// What the damage itself destroys, no command can lose any more.
void World::Play::take_with_it(const std::function<void()>& damage) {
  const auto missing = [this] {
    record_.disks = disks_->views();
    return record_.precious.empty() ? std::vector<bool>() : materials_.hands.missing_work(record_);
  };
  const std::vector<bool> before = missing();
  damage();
  const std::vector<bool> after = missing();
  for (std::size_t i = after.size(); i-- > 0;) {
    if (!after[i] || before[i]) continue;
    event(EventKind::kNote, "with it goes " + record_.precious[i].description);
    record_.precious.erase(record_.precious.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

// What cannot be done at this moment: there is nothing that it acts on, or git does not take it. The story goes on
// without it, and has a gap; in a branch, where another fault has come before, that is no wonder.
void World::Play::pass_over(const base::Error& error) {
  event(EventKind::kNote, "passed over: " + error.message());
  if (!branched_) record_.passed_over.push_back(error.message());
}

void World::Play::do_action(const scenario::TrainerFault&) {}  // the answer to the trainer's mark does it

void World::Play::do_action(const scenario::ProviderFault& action) {
  const bool rest = action.api != scenario::ProviderApi::kGraphql;
  const bool graphql = action.api != scenario::ProviderApi::kRest;
  if (rest) rest_fault_ = action.kind;
  if (graphql) graphql_fault_ = action.kind;
  write_provider_state();
  if (action.lasting <= Duration::zero()) return;
  stage_->at((now() + action.lasting).count(), [this, rest, graphql] {
    if (rest) rest_fault_ = "none";
    if (graphql) graphql_fault_ = "none";
    disturbed_ = true;
    write_provider_state();
    event(EventKind::kHeal, "the provider's API works again");
    note_activity();
  });
}

// Replaced in one step: the provider reads it whenever it is asked something.
void World::Play::write_provider_state() {
  const std::string& path = materials_.provider_state;
  if (path.empty()) return;
  const char* status = !ended_as_asked_                                    ? "RUNNING"
                       : container_                                        ? "RUNNING"
                       : ended_as_asked_ == scenario::Outcome::kTerminated ? "TERMINATED"
                                                                           : "EXITED";
  const std::string text = fmt::format(R"({{"pod": "{}", "status": "{}", "rest": "{}", "graphql": "{}"}})",
                                       record_.boots.back().pod_id, status, rest_fault_, graphql_fault_);
  if (auto placed = place_file(path + ".new", text); !placed) return give_up(placed.error());
  if (::rename((path + ".new").c_str(), path.c_str()) != 0)
    give_up(base::system_error(errno, "tell the provider of the pod", path));
}

// The provider tells what it was asked.
int World::Play::provider_mark(const std::string& what) {
  const auto slash = what.find('/');
  const std::string kind = what.substr(0, slash);
  const std::string text = slash == std::string::npos ? "" : what.substr(slash + 1);
  if (kind == "malformed") {
    record_.malformed_requests.push_back(text);
    event(EventKind::kNote, "the provider refuses a malformed request: " + text);
  } else if (kind == "refused") {
    event(EventKind::kNote, "the provider was asked to " + text);
  } else {
    ++record_.stop_calls;
    event(EventKind::kNote, kind == "lied" ? "the provider says yes to " + text + ", and does nothing"
                                           : "the provider is asked to " + text + " the pod, and does");
    if (kind == "does") end_pod_as_asked(text == "stop" ? scenario::Outcome::kStopped : scenario::Outcome::kTerminated);
  }
  return ENOENT;
}

// The answer goes out first, and the container ends a little later, as a pod does.
void World::Play::end_pod_as_asked(scenario::Outcome outcome) {
  constexpr Duration delay = std::chrono::seconds(2);
  if (ended_as_asked_) return;
  ended_as_asked_ = outcome;
  disturbed_ = true;
  note_activity();
  stage_->at((now() + delay).count(), [this] {
    if (container_) return interrupt_pod(policy_.spot_grace, BootEnd::kStopped, {});
    // Between two boots.
    pay(false);
    write_provider_state();
    if (!timeline_.waits_for_later()) end_world(*ended_as_asked_);
  });
}

void World::Play::do_action(const scenario::PipFails& action) {
  pip_failures_left_ = action.times == 0 ? -1 : action.times;
}

}  // namespace pod
