// The nodes of a cluster that share a volume: each has a ledger and a lease of its own, and leaves word where the
// others can read it. What is believed of it, and why nobody waits for ever, stands in nodes.cc.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "launcher/base/time.h"
#include "launcher/config/config.h"
#include "launcher/lease/lease.h"

namespace boot {

struct Boot;

struct NodeWord {
  std::string held;       // why it is held; empty: it works
  bool of_itself = true;  // and not because of another node
  std::string commit;     // to which node 0 has brought the checkout; empty: not yet, or it is at work on it
};

// Another node, as it was last seen.
struct NodeSight {
  lease::Sight lease;
  std::string word_boot;  // the launcher that left the word
  NodeWord word;
};

// What this node has told the others, and what it knows of them by its own clock.
class Nodes {
 public:
  struct Held {
    int rank = 0;
    std::string text;  // "node 1 on pod x is held: …"
    base::Seconds lasting{0};
  };

  NodeWord word;
  bool told = true;

  void see(int rank, const NodeSight& sight, base::TimePoint now);
  // The first other node that is held for a reason of its own, and lives as far as is known.
  std::optional<Held> held(base::TimePoint now) const;
  // Node 0's word that the checkout is there; nothing while its launcher has not been seen at work.
  std::optional<NodeSight> checkout_word() const;
  // Since when nothing of that node has changed.
  base::TimePoint silent_since(int rank) const;

 private:
  struct Peer {
    NodeSight sight;
    lease::Patience patience;
    bool silent = false;
    std::string beating_boot;  // the launcher that was seen to renew the lease
    base::TimePoint changed;
    std::optional<base::TimePoint> held_since;
  };

  std::map<int, Peer> peers_;
};

// Where this node remembers its part of the run: `run` itself for node 0 and for a pod alone, below it for the others.
std::filesystem::path folder_of_node(const std::filesystem::path& run, const config::Environment& environment);

// 0 for a pod alone.
int rank_of(const Boot& boot);

// Are there others, and can they read what is left for them?
bool shares_with_other_nodes(const Boot& boot);

// Leaves boot.nodes.word for them.
void tell_other_nodes(Boot& boot);
void look_at_other_nodes(Boot& boot);

// Beside the checkout, in the same launcher's hand as the word: what shows another node that they share the checkout.
// Both touch its disk: not for PID 1.
void sign_checkout(const std::filesystem::path& checkout, const std::string& launcher);
bool is_signed(const std::filesystem::path& checkout, const std::string& launcher);
// The checkout that node 0's word is of was shared, and somebody has deleted it since: nothing to train on. False where
// there is no word, and where its disk does not answer in time.
bool shared_checkout_is_gone(Boot& boot);

}  // namespace boot
