// Tarjan's strongly connected components over the barren edges, with its own stack since paths are longer than the
// machine's. A component inside which something is started (a boot, an attempt, a retry) contains a loop. The others
// may well have cycles, of turns that start nothing: time passes, a commit is seen.
//
// Components come out in reverse topological order, so the longest paths are known as soon as a component is complete.

#include "harness/proof/policy_loops.h"

#include <algorithm>
#include <deque>
#include <unordered_map>

namespace proof {

namespace {

class Components {
 public:
  explicit Components(const PolicyExploration& exploration)
      : exploration_(exploration),
        order_(exploration.states(), 0),
        low_(exploration.states(), 0),
        component_(exploration.states(), no_node) {}

  void find() {
    for (std::uint32_t node = 0; node < exploration_.states(); ++node) {
      if (order_[node] == 0) visit_from(node);
    }
  }

  std::uint32_t of(std::uint32_t node) const { return component_[node]; }
  unsigned boots_max() const { return boots_.empty() ? 0 : *std::max_element(boots_.begin(), boots_.end()); }
  unsigned attempts_max() const {
    return attempts_.empty() ? 0 : *std::max_element(attempts_.begin(), attempts_.end());
  }

 private:
  struct Frame {
    std::uint32_t node;
    const BarrenEdge* next;
  };

  void enter(std::uint32_t node) {
    order_[node] = low_[node] = ++counter_;
    open_.push_back(node);
    frames_.push_back({node, exploration_.edges_begin(node)});
  }

  void visit_from(std::uint32_t root) {
    enter(root);
    while (!frames_.empty()) {
      Frame& frame = frames_.back();
      const std::uint32_t node = frame.node;
      if (frame.next != exploration_.edges_end(node)) {
        const std::uint32_t target = (frame.next++)->target;
        if (order_[target] == 0) {
          enter(target);
        } else if (component_[target] == no_node) {
          low_[node] = std::min(low_[node], order_[target]);
        }
        continue;
      }
      frames_.pop_back();
      if (!frames_.empty()) low_[frames_.back().node] = std::min(low_[frames_.back().node], low_[node]);
      if (low_[node] == order_[node]) close(node);
    }
  }

  void close(std::uint32_t root) {
    const auto component = static_cast<std::uint32_t>(boots_.size());
    const auto first = std::find(open_.rbegin(), open_.rend(), root).base() - 1;
    unsigned boots = 0;
    unsigned attempts = 0;
    for (auto node = first; node != open_.end(); ++node) component_[*node] = component;
    for (auto node = first; node != open_.end(); ++node) {
      for (const BarrenEdge* edge = exploration_.edges_begin(*node); edge != exploration_.edges_end(*node); ++edge) {
        const std::uint32_t target = component_[edge->target];
        if (target == component) continue;
        boots = std::max(boots, boots_[target] + (edge->boot ? 1 : 0));
        attempts = std::max(attempts, attempts_[target] + (edge->attempt ? 1 : 0));
      }
    }
    open_.erase(first, open_.end());
    boots_.push_back(boots);
    attempts_.push_back(attempts);
  }

  const PolicyExploration& exploration_;
  std::vector<std::uint32_t> order_;  // 0: not visited
  std::vector<std::uint32_t> low_;
  std::vector<std::uint32_t> component_;
  std::vector<std::uint32_t> open_;
  std::vector<Frame> frames_;
  std::uint32_t counter_ = 0;
  std::vector<unsigned> boots_;  // by component
  std::vector<unsigned> attempts_;
};

// The shortest way from `from` to `to` inside one component, both included.
std::vector<std::uint32_t> way_within(const PolicyExploration& exploration, const Components& components,
                                      std::uint32_t from, std::uint32_t to) {
  std::unordered_map<std::uint32_t, std::uint32_t> came_from{{from, no_node}};
  std::deque<std::uint32_t> queue{from};
  while (!queue.empty() && !came_from.contains(to)) {
    const std::uint32_t node = queue.front();
    queue.pop_front();
    for (const BarrenEdge* edge = exploration.edges_begin(node); edge != exploration.edges_end(node); ++edge) {
      if (components.of(edge->target) != components.of(from)) continue;
      if (came_from.emplace(edge->target, node).second) queue.push_back(edge->target);
    }
  }
  std::vector<std::uint32_t> way;
  for (std::uint32_t node = to; node != no_node; node = came_from.at(node)) way.push_back(node);
  std::reverse(way.begin(), way.end());
  return way;
}

}  // namespace

LoopFreedom find_loops(const PolicyExploration& exploration) {
  Components components(exploration);
  components.find();
  LoopFreedom found;
  // Nodes are numbered by their distance from the start.
  for (std::uint32_t node = 0; node < exploration.states() && !found.loop; ++node) {
    for (const BarrenEdge* edge = exploration.edges_begin(node); edge != exploration.edges_end(node); ++edge) {
      if (!edge->starts_something() || components.of(edge->target) != components.of(node)) continue;
      Loop loop{{node}};
      const auto back = way_within(exploration, components, edge->target, node);
      loop.nodes.insert(loop.nodes.end(), back.begin(), back.end() - 1);
      found.loop = std::move(loop);
      break;
    }
  }
  if (found.loop) return found;
  found.boots_max = components.boots_max();
  found.attempts_max = components.attempts_max();
  return found;
}

}  // namespace proof
