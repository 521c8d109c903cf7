// Decide, write, advance: the one way from an observation to a decision.
#pragma once

#include <optional>
#include <string>

#include "launcher/base/waiter.h"
#include "launcher/boot/keeper.h"
#include "launcher/ledger/ledger.h"
#include "launcher/policy/policy.h"

namespace boot {

class Journal {
 public:
  Journal(base::Waiter& waiter, policy::Limits limits) : waiter_(waiter), limits_(limits) {}

  // The keeper has opened the run; from here on everything is remembered.
  void begin(KeeperPlan plan, const ledger::Memory& memory);

  // What to do about it. Written to the ledger first; a ledger that cannot be written is itself observed, and the
  // decision then takes that into account.
  policy::Decision observe(const policy::Observation& observation, ledger::Facts facts = {});

  // A fact that changes no decision; lost without regret when the ledger is.
  void note(const std::string& kind, ledger::Facts facts);

  // After the ledger was lost: opens it anew. What could not be written meanwhile and matters is written then.
  // False: still no ledger.
  bool reopen();
  std::optional<policy::Decision> recover();

  Keeper& keeper() { return keeper_; }
  const ledger::Memory& memory() const { return memory_; }
  const policy::History& history() const { return history_; }
  const policy::Limits& limits() const { return limits_; }

 private:
  bool append(const ledger::Record& record);
  void lose_ledger(const base::Error& error);

  base::Waiter& waiter_;
  policy::Limits limits_;
  Keeper keeper_;
  KeeperPlan plan_;
  policy::History history_;
  ledger::Memory memory_;
  std::optional<ledger::Record> unwritten_end_;  // the run finished while nothing could be written
};

// Now, for people.
std::int64_t wall_milliseconds();

}  // namespace boot
