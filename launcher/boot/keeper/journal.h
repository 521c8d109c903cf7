// Decide, write, advance: the one way from an observation to a decision.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "launcher/base/waiter.h"
#include "launcher/boot/keeper/keeper.h"
#include "launcher/ledger/ledger.h"
#include "launcher/policy/policy.h"

namespace boot {

class Journal {
 public:
  Journal(base::Waiter& waiter, policy::Limits limits) : waiter_(waiter), limits_(limits) {}

  // The keeper has opened the run, or could not; from here on everything is remembered, or known to be lost.
  void begin(KeeperPlan plan, const Opening& opening);

  // What to do about it. Written to the ledger first; a ledger that cannot be written is itself observed, and the
  // decision then takes that into account.
  policy::Decision observe(const policy::Observation& observation, ledger::Facts facts = {});

  // A fact that changes no decision. False: it could not be written.
  bool note(const std::string& kind, ledger::Facts facts);

  // The training's output, to be kept. Never waits but for a keeper that has to be started anew.
  void keep_log(std::string_view bytes);
  // What the output is of that comes from here on.
  void mark_log(const std::string& what);

  // A keeper that somebody killed is replaced, a bounded number of times in a boot, and not at every turn: a disk that
  // hangs takes the whole deadline to be given up, and the training's output waits for that long.
  void tend();

  // After the ledger was lost: opens it anew. What could not be written meanwhile and matters is written then.
  // Nothing: still no ledger.
  std::optional<policy::Decision> recover();
  // What could not be written before the run was opened anew, if it matters: the training's end.
  std::optional<policy::Decision> write_late_end();

  // Until when the run is ours as far as is known now; past: somebody else may have it. Starts a keeper that has died
  // again, which goes on with the lease unless it was taken over.
  base::TimePoint lawful_until();
  bool lease_lost();

  Keeper& keeper() { return keeper_; }
  const Keeper& keeper() const { return keeper_; }
  const ledger::Memory& memory() const { return memory_; }
  const policy::History& history() const { return history_; }
  const policy::Limits& limits() const { return limits_; }

 private:
  bool append(const ledger::Record& record);
  void revive();
  void lose_ledger(const base::Error& error);

  base::Waiter& waiter_;
  policy::Limits limits_;
  Keeper keeper_;
  KeeperPlan plan_;
  lease::Patience patience_;
  base::TimePoint next_revival_ = base::TimePoint::min();
  policy::History history_;
  ledger::Memory memory_;
  int keepers_left_ = 10;
  std::string log_mark_;
  std::optional<ledger::Record> unwritten_end_;  // the run finished while nothing could be written
};

// Now, for people.
std::int64_t wall_milliseconds();

}  // namespace boot
