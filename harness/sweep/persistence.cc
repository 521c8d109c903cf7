#include "harness/sweep/persistence.h"

#include <algorithm>
#include <functional>
#include <random>

namespace sweep {

// Where not all choices are made: the extremes and this many others.
static constexpr int kDrawn = 4;

std::string_view name(ModelKind kind) {
  switch (kind) {
    case ModelKind::kProcessKill:
      return "process-kill";
    case ModelKind::kExt4Ordered:
      return "ext4-ordered";
    case ModelKind::kBtrfs:
      return "btrfs";
    case ModelKind::kReorderAll:
      return "reorder-all";
    case ModelKind::kNetworkVolume:
      return "network-volume";
  }
  return "";
}

std::optional<ModelKind> find_model(std::string_view text) {
  for (const ModelKind kind : kAllModels) {
    if (name(kind) == text) return kind;
  }
  return std::nullopt;
}

static std::uint64_t length_of(const Node* file) {
  return file != nullptr && file->content ? file->content->bytes.size() : 0;
}

static void change_names(const Op& op, bool keep_old, Image& image) {
  const auto give = [&](const Place& place) {
    if (Node* folder = image.find(place.folder)) folder->names[place.name] = op.node;
  };
  const auto take = [&] {
    if (Node* folder = image.find(op.place.folder); folder != nullptr && image.look_up(op.place) == op.node)
      folder->names.erase(op.place.name);
  };
  switch (op.kind) {
    case OpKind::kAppear:
    case OpKind::kLink:
      return give(op.place);
    case OpKind::kRename:
      if (!keep_old) take();
      return give(op.second);
    case OpKind::kRemove:
      return take();
    default:
      return apply(op, image);
  }
}

void PersistenceModel::note(const Op& op, const Image& now) {
  const std::size_t index = count_++;
  if (kind_ == ModelKind::kProcessKill) return;
  if (op.external) {
    if (op.kind == OpKind::kAppear || op.kind == OpKind::kReplace || op.kind == OpKind::kMount) apply(op, certain_);
    return;
  }
  switch (op.kind) {
    case OpKind::kAppear: {
      Node bare = op.made;
      bytes_.erase(op.node);
      certain_.put(op.node, std::move(bare));
      names_.push_back({index, op});
      break;
    }
    case OpKind::kRename:
    case OpKind::kLink:
    case OpKind::kRemove:
    case OpKind::kDress:
      names_.push_back({index, op});
      break;
    case OpKind::kWrite:
    case OpKind::kTruncate: {
      const auto [found, first] = bytes_.try_emplace(op.node);
      PendingBytes& pending = found->second;
      if (first) pending.length = length_of(certain_.find(op.node));
      const std::uint64_t end = op.kind == OpKind::kTruncate ? op.size : op.offset + op.bytes.size();
      // To write over what is there leaves the journal nothing to commit, often not even a time.
      if (op.kind == OpKind::kTruncate || end > pending.length) {
        changed_since_sync_.insert(op.node);
        pending.length = end;
      }
      if (op.kind == OpKind::kTruncate) pending.shortest = std::min(op.size, pending.shortest.value_or(op.size));
      pending.ops.push_back(op);
      pending.last_index = index;
      return;
    }
    case OpKind::kSync:
    case OpKind::kSyncDisk:
      note_sync(op, now);
      return;
    case OpKind::kClose:
      if (kind_ == ModelKind::kNetworkVolume) keep_bytes(op.node, now);
      return;
    case OpKind::kReplace:
    case OpKind::kMount:
      return;
  }
  changed_since_sync_.insert(op.node);
  // A network volume keeps names, and their folders, at once.
  if (kind_ == ModelKind::kNetworkVolume) keep_names([](const PendingName&) { return true; });
}

void PersistenceModel::keep_bytes(NodeId node, const Image& now) {
  const auto pending = bytes_.find(node);
  if (pending == bytes_.end()) return;
  Node* sure = certain_.find(node);
  const Node* current = now.find(node);
  if (sure != nullptr && current != nullptr) {
    sure->content = current->content;
    sure->modified = current->modified;
  }
  bytes_.erase(pending);
}

static const Place& place_of(const Op& op) {
  return op.kind == OpKind::kRename ? op.second : op.place;
}

// A name that is kept as it is now does not go back to what it led to before.
void PersistenceModel::supersede(const Op& kept, std::vector<PendingName>& earlier) {
  if (kept.kind == OpKind::kDress) return;
  std::erase_if(earlier, [&](PendingName& pending) {
    Op& op = pending.op;
    if (op.kind == OpKind::kDress || op.kind == OpKind::kRemove || place_of(op) != place_of(kept)) return false;
    if (op.kind != OpKind::kRename) return true;
    op.kind = OpKind::kRemove;  // it has still left its old name
    return false;
  });
}

template <class Matches>
void PersistenceModel::keep_names(Matches matches) {
  std::vector<PendingName> rest;
  for (auto& pending : names_) {
    if (!matches(pending)) {
      rest.push_back(std::move(pending));
      continue;
    }
    change_names(pending.op, /*keep_old=*/false, certain_);
    supersede(pending.op, rest);
  }
  names_ = std::move(rest);
}

// The names of a file, and the folders above them that have not been kept yet.
void PersistenceModel::keep_names_of(NodeId node) {
  std::set<NodeId> wanted{node};
  for (auto pending = names_.rbegin(); pending != names_.rend(); ++pending) {
    if (!wanted.contains(pending->op.node)) continue;
    wanted.insert(pending->op.place.folder);
    if (pending->op.kind == OpKind::kRename) wanted.insert(pending->op.second.folder);
  }
  keep_names([&](const PendingName& pending) {
    const bool appears = pending.op.kind == OpKind::kAppear || pending.op.node == node;
    return appears && wanted.contains(pending.op.node);
  });
}

void PersistenceModel::note_sync(const Op& op, const Image& now) {
  const auto on_disk = [&](const PendingName& pending) { return op.disk.empty() || pending.op.disk == op.disk; };
  if (op.kind == OpKind::kSyncDisk) {
    std::vector<NodeId> nodes;
    for (const auto& [node, pending] : bytes_) {
      if (op.disk.empty() || pending.ops.front().disk == op.disk) nodes.push_back(node);
    }
    for (const NodeId node : nodes) keep_bytes(node, now);
    return keep_names(on_disk);
  }
  keep_bytes(op.node, now);
  switch (kind_) {
    case ModelKind::kExt4Ordered: {
      const bool folder_changed = std::ranges::any_of(names_, [&](const PendingName& pending) {
        return pending.op.place.folder == op.node || pending.op.second.folder == op.node;
      });
      if (!changed_since_sync_.contains(op.node) && !folder_changed) return;
      keep_names(on_disk);
      changed_since_sync_.clear();  // what is committed needs no second commit, also where bytes are still missing
      return;
    }
    case ModelKind::kBtrfs:
      keep_names_of(op.node);
      [[fallthrough]];
    case ModelKind::kReorderAll:
      for (auto& pending : names_) {
        if (pending.op.kind == OpKind::kRename && pending.op.place.folder == op.node) pending.source_synced = true;
      }
      return keep_names([&](const PendingName& pending) {
        if (pending.op.kind == OpKind::kDress) return pending.op.node == op.node;
        if (pending.op.kind != OpKind::kRename) return pending.op.place.folder == op.node;
        return pending.op.second.folder == op.node && pending.source_synced;
      });
    case ModelKind::kProcessKill:
    case ModelKind::kNetworkVolume:
      return;
  }
}

std::vector<PersistenceModel::Tail> PersistenceModel::tails(NodeId node) const {
  if (kind_ == ModelKind::kProcessKill) return {Tail::kThere};
  std::vector<Tail> result{Tail::kThere, Tail::kLost, Tail::kTorn};
  if (kind_ == ModelKind::kExt4Ordered || kind_ == ModelKind::kReorderAll) result.push_back(Tail::kZeros);
  if (bytes_.at(node).shortest) result.push_back(Tail::kShortened);
  return result;
}

Image PersistenceModel::build(const Choice& choice, const Image& now) const {
  Image image = certain_;
  for (std::size_t i = 0; i < names_.size(); ++i) {
    if (choice.names[i] != 0) change_names(names_[i].op, choice.names[i] == 2, image);
  }
  for (const auto& [id, tail] : choice.tails) {
    Node* node = image.find(id);
    const Node* current = now.find(id);
    if (node == nullptr || current == nullptr) continue;
    const PendingBytes& pending = bytes_.at(id);
    switch (tail) {
      case Tail::kLost:
        break;
      case Tail::kThere:
        node->content = current->content;
        node->modified = current->modified;
        break;
      case Tail::kShortened:
      case Tail::kZeros:
        if (pending.shortest && *pending.shortest < length_of(node))
          set_size(*node, *pending.shortest, current->modified);
        if (tail == Tail::kZeros && length_of(current) > length_of(node))
          set_size(*node, length_of(current), current->modified);
        break;
      case Tail::kTorn: {
        const std::size_t half = pending.ops.size() / 2;
        for (std::size_t i = 0; i < half; ++i) apply(pending.ops[i], image);
        Op torn = pending.ops[half];
        torn.bytes.resize(torn.bytes.size() / 2);
        apply(torn, image);
        break;
      }
    }
  }
  return image;
}

PersistenceModel::Choice PersistenceModel::everything(int names, Tail tail) const {
  Choice choice;
  choice.names.assign(names_.size(), names);
  for (const auto& [node, pending] : bytes_) choice.tails[node] = tail;
  return choice;
}

bool PersistenceModel::keeps_fresh(const Choice& choice, std::size_t first_fresh) const {
  for (std::size_t i = 0; i < names_.size(); ++i) {
    if (names_[i].index >= first_fresh && choice.names[i] == 0) return false;
  }
  return std::ranges::none_of(bytes_, [&](const auto& entry) {
    return entry.second.last_index >= first_fresh && choice.tails.at(entry.first) == Tail::kLost;
  });
}

Images PersistenceModel::images(const Image& now, std::size_t fresh, std::uint64_t seed, double exhaustive_max) const {
  Images result;
  if (kind_ == ModelKind::kProcessKill) {
    result.images.push_back(now);
    result.possible = 1;
    return result;
  }
  const std::size_t first_fresh = count_ - fresh;
  const bool prefix = kind_ == ModelKind::kExt4Ordered;
  const int ways = kind_ == ModelKind::kReorderAll ? 3 : 2;
  std::set<std::uint64_t> seen;
  const auto add = [&](const Choice& choice) {
    if (!keeps_fresh(choice, first_fresh)) return;
    Image image = build(choice, now);
    if (seen.insert(image.digest()).second) result.images.push_back(std::move(image));
  };

  // The number of choices for names, and for bytes.
  result.possible = prefix ? static_cast<double>(names_.size() + 1) : 1;
  if (!prefix) {
    for (const auto& pending : names_) result.possible *= pending.op.kind == OpKind::kRename ? ways : 2;
  }
  for (const auto& [node, pending] : bytes_) result.possible *= static_cast<double>(tails(node).size());

  // A number is a choice: its digits, in mixed bases.
  const auto choose = [&](const std::function<int(int)>& digit) {
    Choice choice = everything(0, Tail::kLost);
    if (prefix) {
      const int length = digit(static_cast<int>(names_.size()) + 1);
      std::fill_n(choice.names.begin(), length, 1);
    } else {
      for (std::size_t i = 0; i < names_.size(); ++i)
        choice.names[i] = digit(names_[i].op.kind == OpKind::kRename ? ways : 2);
    }
    for (auto& [node, tail] : choice.tails) {
      const std::vector<Tail> all = tails(node);
      tail = all[static_cast<std::size_t>(digit(static_cast<int>(all.size())))];
    }
    return choice;
  };
  if (result.possible <= exhaustive_max) {
    for (int number = 0; number < static_cast<int>(result.possible); ++number) {
      int rest = number;
      add(choose([&rest](int base) {
        const int value = rest % base;
        rest /= base;
        return value;
      }));
    }
    return result;
  }
  result.exhaustive = false;
  const auto mostly = [&](int names, Tail tail) {
    Choice choice = everything(names, tail);
    for (std::size_t i = 0; i < names_.size(); ++i) {
      if (names_[i].index >= first_fresh) choice.names[i] = 1;
    }
    for (auto& [node, one] : choice.tails) {
      if (bytes_.at(node).last_index >= first_fresh && one == Tail::kLost) one = Tail::kThere;
    }
    // In a journal nothing is kept that comes after something lost.
    if (prefix) {
      const auto last = std::find(choice.names.rbegin(), choice.names.rend(), 1);
      std::fill(choice.names.begin(), last.base(), 1);
    }
    return choice;
  };
  add(everything(1, Tail::kThere));
  add(mostly(0, Tail::kLost));
  add(mostly(1, Tail::kLost));
  if (kind_ == ModelKind::kExt4Ordered || kind_ == ModelKind::kReorderAll) add(mostly(1, Tail::kZeros));
  std::mt19937_64 random(mix(seed, mix(count_, static_cast<std::uint64_t>(kind_))));
  for (int drawn = 0; drawn < kDrawn; ++drawn)
    add(choose([&random](int base) { return static_cast<int>(random() % static_cast<std::uint64_t>(base)); }));
  return result;
}

}  // namespace sweep
