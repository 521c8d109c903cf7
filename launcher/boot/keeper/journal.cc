#include "launcher/boot/keeper/journal.h"

#include <chrono>

#include "launcher/boot/keeper/say.h"

namespace boot {

// A network volume under load answers within seconds; one that takes longer hangs.
static constexpr base::Seconds kLedgerDeadline{20};

std::int64_t wall_milliseconds() {
  return std::chrono::duration_cast<base::Milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

void Journal::begin(KeeperPlan plan, const Opening& opening) {
  plan_ = std::move(plan);
  // A keeper that has to be started again goes on with the lease that the first one claimed.
  plan_.epoch = opening.result == Opening::Result::kOpened ? opening.lease.epoch : 0;
  plan_.silent.reset();
  memory_ = opening.memory;
  history_ = opening.memory.history;
}

static bool finished(const policy::Observation& observation) {
  const auto* end = std::get_if<policy::AttemptEnded>(&observation);
  return end != nullptr && end->cause == policy::Cause::kFinished;
}

bool Journal::append(const ledger::Record& record) {
  // When we are told to stop, the platform's SIGKILL is seconds away.
  const base::Seconds deadline = waiter_.stop_signal() == 0 ? kLedgerDeadline : base::Seconds(2);
  auto appended = keeper_.append(waiter_, record, deadline);
  const bool died = !appended && appended.error().code == base::ErrorCode::kSystem && !plan_.folder.empty();
  if (died && keeper_.fenced_by().empty()) {
    // Perhaps somebody killed the keeper: a new one finds the ledger as the last record left it.
    revive();
    if (keeper_.connected()) appended = keeper_.append(waiter_, record, deadline);
  }
  if (!appended) lose_ledger(appended.error());
  return appended.has_value();
}

void Journal::lose_ledger(const base::Error& error) {
  say("{}", error.message());
  const auto trouble =
      error.code == base::ErrorCode::kTimedOut ? policy::LedgerTrouble::kHung : policy::LedgerTrouble::kUnwritable;
  const policy::LedgerFailed failed{trouble};
  history_ = policy::advance(history_, failed, policy::decide(history_, failed, limits_));
}

policy::Decision Journal::observe(const policy::Observation& observation, ledger::Facts facts) {
  policy::Decision decision = policy::decide(history_, observation, limits_);
  facts.pod = plan_.identity.pod;
  facts.host = plan_.identity.host;
  ledger::Record record;
  record.wall_milliseconds = wall_milliseconds();
  record.step = ledger::Step{observation, decision};
  record.facts = std::move(facts);
  const bool says_it_itself = std::holds_alternative<policy::LedgerFailed>(observation);
  if (!history_.ledger_lost && !says_it_itself && append(record)) {
    ledger::remember(memory_, record);
    history_ = policy::advance(history_, observation, decision);
    return decision;
  }
  if (finished(observation)) unwritten_end_ = record;
  if (!says_it_itself) decision = policy::decide(history_, observation, limits_);
  history_ = policy::advance(history_, observation, decision);
  return decision;
}

bool Journal::note(const std::string& kind, ledger::Facts facts) {
  if (history_.ledger_lost) return false;
  ledger::Record record;
  record.wall_milliseconds = wall_milliseconds();
  record.kind = kind;
  record.facts = std::move(facts);
  if (!append(record)) return false;
  ledger::remember(memory_, record);
  return true;
}

void Journal::revive() {
  if (history_.ledger_lost || plan_.folder.empty() || keeper_.connected() || keepers_left_ == 0) return;
  if (!keeper_.fenced_by().empty()) return;  // there is nothing left to keep
  --keepers_left_;
  say("the keeper of the run's state is gone; starting another");
  plan_.remembered = memory_;
  const Opening opening = keeper_.open(waiter_, plan_, kLedgerDeadline);
  if (opening.result != Opening::Result::kOpened) return;  // the next record finds the ledger lost
  plan_.epoch = opening.lease.epoch;
  if (!log_mark_.empty()) keeper_.mark_log(log_mark_ + "; another keeper, and what was printed meanwhile is missing");
}

void Journal::tend() {
  constexpr base::Seconds kReviveEvery{30};
  if (keeper_.connected() || base::Clock::now() < next_revival_) return;
  next_revival_ = base::Clock::now() + kReviveEvery;
  revive();
}

void Journal::keep_log(std::string_view bytes) {
  keeper_.keep_log(bytes);
  if (keeper_.connected()) return;
  tend();
  keeper_.keep_log(bytes);
}

void Journal::mark_log(const std::string& what) {
  log_mark_ = what;
  keeper_.mark_log(what);
}

base::TimePoint Journal::lawful_until() {
  if (plan_.epoch == 0) return base::kForever;  // none is held, so none can be lost
  keeper_.listen();
  if (base::Clock::now() < keeper_.lawful_until()) tend();  // what came of it shows below
  return keeper_.lawful_until();
}

bool Journal::lease_lost() {
  const base::TimePoint until = lawful_until();
  return base::Clock::now() >= until;
}

std::optional<policy::Decision> Journal::recover() {
  plan_.epoch = 0;  // it may be somebody else's by now
  plan_.remembered = memory_;
  const Opening opening = keeper_.open(waiter_, plan_, kLedgerDeadline);
  if (opening.result == Opening::Result::kLeasedElsewhere && patience_.exhausted(opening.lease, base::Clock::now()))
    plan_.silent = opening.lease;
  if (opening.result != Opening::Result::kOpened) return std::nullopt;
  plan_.epoch = opening.lease.epoch;
  plan_.silent.reset();
  memory_ = opening.memory;
  history_ = opening.memory.history;
  if (auto decision = write_late_end()) return decision;
  return observe(policy::ObstacleCleared{});
}

std::optional<policy::Decision> Journal::write_late_end() {
  if (!unwritten_end_) return std::nullopt;
  const ledger::Record end = *std::exchange(unwritten_end_, std::nullopt);
  return observe(end.step->observation, end.facts);
}

}  // namespace boot
