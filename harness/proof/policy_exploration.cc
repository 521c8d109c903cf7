#include "harness/proof/policy_exploration.h"

#include <algorithm>

#include "base/check.h"

namespace proof {

namespace {

using namespace policy;

template <class T>
bool saw(const Turn& turn) {
  return turn.observation && std::holds_alternative<T>(*turn.observation);
}

template <class T>
bool decided(const Turn& turn) {
  return turn.decision && std::holds_alternative<T>(*turn.decision);
}

bool starts_work(const Turn& turn) {
  return decided<policy::Run>(turn) || decided<Retry>(turn) || decided<TryOlderCheckpoint>(turn);
}

bool is_stop(const PolicyOnTrial& trial, const Turn& turn) {
  if (decided<Exit>(turn)) return trial.limits.on_failure == OnFailure::kExit;
  return decided<Hold>(turn) || decided<Finish>(turn);
}

// --- Promises that one turn can break ------------------------------------------------------------------------------

std::string explains(const Turn& turn) {
  const auto* hold = turn.decision ? std::get_if<Hold>(&*turn.decision) : nullptr;
  const auto* exit = turn.decision ? std::get_if<Exit>(&*turn.decision) : nullptr;
  const bool silent = (hold != nullptr && (hold->cause.empty() || hold->remedy.empty())) ||
                      (exit != nullptr && (exit->cause.empty() || exit->remedy.empty()));
  return silent ? "it holds without saying why, or without saying what to do" : "";
}

std::string stays_finished(const State& state, const Turn& turn) {
  if (!state.done) return "";
  if (!turn.next.history.finished) return "the run had finished, and that was forgotten";
  const bool retries_conclusion = saw<ConclusionFailed>(turn) && decided<Retry>(turn);
  return starts_work(turn) && !retries_conclusion ? "the run had finished, and work was started again" : "";
}

std::string stays_held(const PolicyOnTrial& trial, const State& state, const Turn& turn) {
  if (!starts_work(turn) || is_release(trial, state, turn)) return "";
  const bool waits_for_obstacle = state.place == Place::kHeld && !state.held;
  if (waits_for_obstacle && saw<ObstacleCleared>(turn)) return "";
  const bool restarted = state.place == Place::kOff && state.held;
  return restarted || state.place == Place::kHeld ? "a hold ended although nothing had changed" : "";
}

std::string release_leads_on(const PolicyOnTrial& trial, const State& state, const Turn& turn) {
  const bool waits = state.place == Place::kHeld && !state.history.ledger_lost && !state.done;
  if (waits && saw<ResumeAsked>(turn) && !decided<policy::Run>(turn)) return "it was told to resume, and did not";
  const bool was_held = waits || (state.place == Place::kOff && state.held);
  if (!was_held || turn.next.place != Place::kWorking) return "";
  const bool attempts = decided<policy::Run>(take_turn(trial, turn.next, AttemptBegan{}));
  return attempts ? "" : "the hold was released, and still no attempt may begin";
}

// A fresh run must get its chance; otherwise a policy that always holds would keep every other promise.
std::string begins(const State& state, const Turn& turn) {
  const bool fresh = state.place == Place::kOff && state.history == state_of(0).history;
  return fresh && saw<BootBegan>(turn) && !decided<policy::Run>(turn) ? "a fresh run is not started" : "";
}

std::optional<BadTurn> judge(const PolicyOnTrial& trial, std::uint32_t node, const State& state, const Turn& turn) {
  const auto bad = [&](const char* promise, std::string reason) { return BadTurn{node, turn, promise, reason}; };
  if (auto reason = explains(turn); !reason.empty()) return bad("every hold says why and what to do", reason);
  if (auto reason = stays_finished(state, turn); !reason.empty()) return bad("finished stays finished", reason);
  if (auto reason = stays_held(trial, state, turn); !reason.empty()) return bad("a hold lasts until released", reason);
  if (auto reason = release_leads_on(trial, state, turn); !reason.empty()) {
    return bad("a release leads to an attempt", reason);
  }
  if (auto reason = begins(state, turn); !reason.empty()) return bad("no hold without a reason", reason);
  return std::nullopt;
}

}  // namespace

bool is_release(const PolicyOnTrial& trial, const State& state, const Turn& turn) {
  if (!turn.observation || (state.place != Place::kHeld && !state.held)) return false;
  const HoldRecord hold = state.history.hold.value_or(HoldRecord{});
  if (saw<ResumeAsked>(turn)) return true;
  if (const auto* seen = std::get_if<CommitSeen>(&*turn.observation)) {
    return seen->commit != 0 && seen->commit != hold.commit;
  }
  const auto* boot = std::get_if<BootBegan>(&*turn.observation);
  if (boot == nullptr) return false;
  const bool scheduler_retries = trial.limits.on_failure == OnFailure::kExit;
  return scheduler_retries || boot->configuration != hold.configuration || boot->hardware != hold.hardware;
}

std::optional<BarrenEdge> barren_edge(const PolicyOnTrial& trial, const State& state, const Turn& turn) {
  if (turn.progress || is_stop(trial, turn)) return std::nullopt;
  if (decided<policy::Run>(turn) && is_release(trial, state, turn)) return std::nullopt;
  BarrenEdge edge;
  edge.boot = saw<BootBegan>(turn);
  edge.attempt = saw<AttemptBegan>(turn) && decided<policy::Run>(turn);
  edge.retry = decided<Retry>(turn) || decided<TryOlderCheckpoint>(turn);
  return edge;
}

std::size_t PolicyExploration::slot_of(std::uint64_t key) const {
  std::uint64_t hash = key * 0x9e3779b97f4a7c15ULL;
  std::size_t slot = (hash ^ (hash >> 32)) & (table_.size() - 1);
  while (table_[slot] != no_node && keys_[table_[slot]] != key) slot = (slot + 1) & (table_.size() - 1);
  return slot;
}

void PolicyExploration::grow_table() {
  table_.assign(std::max<std::size_t>(1024, table_.size() * 4), no_node);
  for (std::uint32_t node = 0; node < keys_.size(); ++node) table_[slot_of(keys_[node])] = node;
}

std::uint32_t PolicyExploration::intern(std::uint64_t key, std::uint32_t parent) {
  if (keys_.size() * 2 >= table_.size()) grow_table();
  const std::size_t slot = slot_of(key);
  if (table_[slot] != no_node) return table_[slot];
  CHECK(keys_.size() < no_node);
  const auto node = static_cast<std::uint32_t>(keys_.size());
  table_[slot] = node;
  keys_.push_back(key);
  parents_.push_back(parent);
  return node;
}

std::uint32_t PolicyExploration::node_of(const State& state) const {
  return table_[slot_of(key_of(state, trial_.limits))];
}

void PolicyExploration::expand(std::uint32_t node) {
  const State from = state(node);
  list_turns(trial_, from, turns_);
  edge_count_ += turns_.size();
  const std::size_t first = barren_.size();
  for (const Turn& turn : turns_) {
    if (auto bad = judge(trial_, node, from, turn)) {
      bad_turn_ = std::move(bad);
      return;
    }
    const std::uint64_t key = key_of(turn.next, trial_.limits);
    const std::uint32_t target = key == keys_[node] ? node : intern(key, node);
    auto edge = barren_edge(trial_, from, turn);
    if (!edge || (target == node && !edge->starts_something())) continue;
    edge->target = target;
    const auto known = barren_.begin() + static_cast<std::ptrdiff_t>(first);
    if (std::find(known, barren_.end(), *edge) == barren_.end()) barren_.push_back(*edge);
  }
}

void PolicyExploration::run(const std::function<void(std::size_t)>& progress) {
  intern(key_of(State{}, trial_.limits), no_node);
  std::size_t level_end = 1;
  for (std::uint32_t node = 0; node < keys_.size() && !bad_turn_; ++node) {
    if (node == level_end) {
      ++depth_;
      level_end = keys_.size();
    }
    if (progress && node % 65536 == 65535) progress(keys_.size());
    first_edge_.push_back(barren_.size());
    expand(node);
  }
  first_edge_.resize(keys_.size() + 1, barren_.size());
}

}  // namespace proof
