// Rescue references that others make superfluous.
//
// One may go when its commit lies in the history of a branch, a tag, a stash, or of a rescue reference that stays: then
// all that it leads to is led to still. A commit of our own making may also go when its files, as one tree, and its
// parents lie there: what else it holds is our own words. So may one whose changes against its parent are all among
// those of another one: the same local changes are set aside again on each new commit of upstream's. Remote-tracking
// references do not count, since upstream may move them at any time, nor does HEAD.
#include <fmt/format.h>

#include <algorithm>
#include <map>
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

using Changes = std::map<std::string, std::optional<FlatEntry>>;  // nullopt: the file was removed

std::map<std::string, TreeEntry> entries_of(const History& history, const std::optional<git_oid>& tree, bool& read) {
  std::map<std::string, TreeEntry> entries;
  const auto found = tree ? history.tree(*tree) : std::vector<TreeEntry>();
  read = read && found.has_value();
  if (!found) return entries;
  for (const TreeEntry& entry : *found) entries.emplace(entry.name, entry);
  return entries;
}

std::optional<git_oid> folder_in(const std::map<std::string, TreeEntry>& entries, const std::string& name) {
  const auto found = entries.find(name);
  return found != entries.end() && found->second.is_folder() ? std::optional(found->second.id) : std::nullopt;
}

std::optional<FlatEntry> file_in(const std::map<std::string, TreeEntry>& entries, const std::string& name) {
  const auto found = entries.find(name);
  if (found == entries.end() || found->second.is_folder()) return std::nullopt;
  return FlatEntry{found->second.mode, found->second.id};
}

// Equal folders are not entered. False when a tree cannot be read.
bool add_changes(const History& history, const std::optional<git_oid>& before, const std::optional<git_oid>& after,
                 const std::string& prefix, Changes& changes) {
  bool read = true;
  const auto old = entries_of(history, before, read);
  auto names = entries_of(history, after, read);
  const auto fresh = names;
  names.insert(old.begin(), old.end());
  for (const auto& [name, entry] : names) {
    if (!read) return false;
    const auto old_folder = folder_in(old, name);
    const auto fresh_folder = folder_in(fresh, name);
    const bool same_folder = old_folder && fresh_folder && same_id(*old_folder, *fresh_folder);
    if ((old_folder || fresh_folder) && !same_folder)
      read = add_changes(history, old_folder, fresh_folder, prefix + name + '/', changes);
    if (file_in(old, name) != file_in(fresh, name)) changes[prefix + name] = file_in(fresh, name);
  }
  return read;
}

bool are_among(const Changes& changes, const Changes& all) {
  return std::all_of(changes.begin(), changes.end(), [&](const auto& change) {
    const auto found = all.find(change.first);
    return found != all.end() && found->second == change.second;
  });
}

// What a commit of our own making adds to its only parent.
std::optional<Changes> changes_of(const History& history, const git_oid& id) {
  const auto parts = history.commit(id);
  if (!parts || parts->parents.size() != 1 || !is_our_own(history, id)) return std::nullopt;
  const auto before = history.tree_of_commit(parts->parents[0]);
  Changes changes;
  if (!before || !add_changes(history, before, parts->tree, "", changes)) return std::nullopt;
  return changes;
}

struct Rescue {
  std::string name;
  git_oid id;
  Covered beyond;                  // of its history, what no branch, tag or stash leads to
  std::optional<Changes> changes;  // of one of our own
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
      rescues_.push_back({name, *value.id, {}, changes_of(history_, *value.id), false});
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
  bool has_changes(const Rescue& rescue) const {
    return rescue.changes && std::any_of(rescues_.begin(), rescues_.end(), [&](const Rescue& other) {
             return &other != &rescue && !other.dropped && other.changes && are_among(*rescue.changes, *other.changes);
           });
  }
  bool is_covered(const Rescue& rescue) const {
    if (has_commit(rescue, rescue.id)) return true;
    const auto parts = history_.commit(rescue.id);
    if (!parts || !is_our_own(history_, rescue.id)) return false;
    if (!has_tree(rescue, parts->tree) && !has_changes(rescue)) return false;
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
