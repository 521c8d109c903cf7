// Rescue references that others make superfluous.
//
// One may go when its commit lies in the history of a branch, a tag, a stash, or of a rescue reference that stays: then
// all that it leads to is led to still. A commit of our own making may also go when its files, as one tree, and its
// parents lie there: what else it holds is our own words. Remote-tracking references do not count, since upstream may
// move them at any time, nor does HEAD.
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "launcher/checkout/treatment/treatment.h"

namespace checkout {
namespace {

constexpr std::string_view kRescue = "refs/podlaunch/rescue/";

bool is_of_the_user(const std::string& name) {
  return name.starts_with("refs/heads/") || name.starts_with("refs/tags/") || name == "refs/stash";
}

struct Covered {
  IdSet commits;
  IdSet trees;
};

// Everything in the history of `tip` that is not in `known`. A hole ends the walk: beyond it nothing is covered.
void add_history(const History& history, const git_oid& tip, const Covered* known, Covered& covered) {
  std::vector<git_oid> pending = {tip};
  while (!pending.empty()) {
    const git_oid id = pending.back();
    pending.pop_back();
    if ((known != nullptr && known->commits.contains(id)) || covered.commits.contains(id)) continue;
    const auto parts = history.commit(id);
    if (!parts) continue;
    covered.commits.insert(id);
    covered.trees.insert(parts->tree);
    pending.insert(pending.end(), parts->parents.begin(), parts->parents.end());
  }
}

bool is_our_own(const History& history, const git_oid& id) {
  const auto object = history.read(id);
  return object && object->bytes.find("\ncommitter podlaunch <podlaunch@localhost> ") != std::string::npos;
}

struct Rescue {
  std::string name;
  git_oid id;
  Covered beyond;  // of its history, what no branch, tag or stash leads to
  bool dropped = false;
};

class Redundancy {
 public:
  explicit Redundancy(const History& history) : history_(history) {}

  void add(const RefTable& table) {
    for (const auto& [name, value] : table.refs) {
      const auto commit = value.id && is_of_the_user(name) ? history_.peel_to_commit(*value.id) : std::nullopt;
      if (commit) add_history(history_, *commit, nullptr, users_);
    }
    for (const auto& [name, value] : table.refs) {
      if (!name.starts_with(kRescue) || !value.id) continue;
      rescues_.push_back({name, *value.id, {}, false});
      add_history(history_, *value.id, &users_, rescues_.back().beyond);
    }
  }

  // One after the other, so that two that cover each other do not both go.
  std::vector<std::string> find() {
    std::vector<std::string> names;
    for (Rescue& rescue : rescues_) {
      rescue.dropped = is_covered(rescue);
      if (rescue.dropped) names.push_back(rescue.name);
    }
    return names;
  }

 private:
  bool has_commit(const Rescue& except, const git_oid& id) const {
    return users_.commits.contains(id) || std::any_of(rescues_.begin(), rescues_.end(), [&](const Rescue& other) {
             return &other != &except && !other.dropped && other.beyond.commits.contains(id);
           });
  }
  bool has_tree(const Rescue& except, const git_oid& id) const {
    return users_.trees.contains(id) || std::any_of(rescues_.begin(), rescues_.end(), [&](const Rescue& other) {
             return &other != &except && !other.dropped && other.beyond.trees.contains(id);
           });
  }
  bool is_covered(const Rescue& rescue) const {
    if (has_commit(rescue, rescue.id)) return true;
    const auto parts = history_.commit(rescue.id);
    if (!parts || !is_our_own(history_, rescue.id) || !has_tree(rescue, parts->tree)) return false;
    return std::all_of(parts->parents.begin(), parts->parents.end(),
                       [&](const git_oid& parent) { return has_commit(rescue, parent); });
  }

  const History& history_;
  Covered users_;
  std::vector<Rescue> rescues_;
};

}  // namespace

base::Result<void> drop_redundant_rescues(Workshop& workshop) {
  const RefTable table = read_refs(workshop.scene.git_folder);
  const bool any =
      std::any_of(table.refs.begin(), table.refs.end(), [](const auto& ref) { return ref.first.starts_with(kRescue); });
  const auto history = any ? History::open(workshop.scene.git_folder) : base::fail(base::Error());
  if (!history) return {};
  Redundancy redundancy(*history);
  redundancy.add(table);
  for (const std::string& name : redundancy.find()) {
    if (auto dropped = workshop.forget_ref(name); !dropped) return dropped;
    workshop.did(fmt::format("Dropped {}: another reference leads to all of it.", name));
    std::erase_if(workshop.rescued, [&](const Rescued& rescued) { return rescued.where == name; });
  }
  return {};
}

}  // namespace checkout
