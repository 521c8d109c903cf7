// Walks the whole policy graph, breadth first, so that the first bad turn found is one at the end of a shortest path.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "harness/proof/policy_graph.h"

namespace proof {

inline constexpr std::uint32_t no_node = UINT32_MAX;

// An edge on which nothing got better: no progress, no release, no hold, no stop. Loops are made of these.
struct BarrenEdge {
  std::uint32_t target = no_node;
  bool boot = false;     // a boot that went to work
  bool attempt = false;  // an attempt that began
  bool retry = false;    // something was started again within the boot
  bool starts_something() const { return boot || attempt || retry; }
  bool operator==(const BarrenEdge&) const = default;
};

// The first turn that breaks a promise on the spot.
struct BadTurn {
  std::uint32_t node = no_node;
  Turn turn;
  std::string promise;
  std::string reason;
};

class PolicyExploration {
 public:
  explicit PolicyExploration(const PolicyOnTrial& trial) : trial_(trial) {}

  // `progress` is told the number of states now and then. Stops early at a bad turn.
  void run(const std::function<void(std::size_t)>& progress);

  std::size_t states() const { return keys_.size(); }
  std::size_t edges() const { return edge_count_; }
  std::size_t depth() const { return depth_; }
  const std::optional<BadTurn>& bad_turn() const { return bad_turn_; }

  State state(std::uint32_t node) const { return state_of(keys_[node]); }
  std::uint32_t parent(std::uint32_t node) const { return parents_[node]; }
  std::uint32_t node_of(const State& state) const;  // no_node where it was not reached
  const BarrenEdge* edges_begin(std::uint32_t node) const { return barren_.data() + first_edge_[node]; }
  const BarrenEdge* edges_end(std::uint32_t node) const { return barren_.data() + first_edge_[node + 1]; }

 private:
  std::uint32_t intern(std::uint64_t key, std::uint32_t parent);
  void grow_table();
  std::size_t slot_of(std::uint64_t key) const;
  void expand(std::uint32_t node);

  const PolicyOnTrial& trial_;
  std::vector<std::uint64_t> keys_;
  std::vector<std::uint32_t> parents_;
  std::vector<std::size_t> first_edge_;
  std::vector<BarrenEdge> barren_;
  std::vector<std::uint32_t> table_;  // open addressing: node numbers by key
  std::vector<Turn> turns_;
  std::size_t edge_count_ = 0;
  std::size_t depth_ = 0;
  std::optional<BadTurn> bad_turn_;
};

// Whether the turn leads out of a hold because something changed or somebody said so.
bool is_release(const PolicyOnTrial& trial, const State& state, const Turn& turn);

// The turn as a barren edge, without its target; nothing where the turn is of another kind.
std::optional<BarrenEdge> barren_edge(const PolicyOnTrial& trial, const State& state, const Turn& turn);

}  // namespace proof
