#include "launcher/checkout/git/history.h"

#include <algorithm>
#include <cerrno>
#include <deque>

#include "launcher/checkout/git/files.h"

namespace checkout {
namespace {

// Takes "key value\n" off the front of `data` when its key fits.
std::optional<std::string_view> take_line(std::string_view& data, std::string_view key) {
  if (!data.starts_with(key)) return std::nullopt;
  const std::size_t end = data.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view value = data.substr(key.size(), end - key.size());
  data.remove_prefix(end + 1);
  return value;
}

IdSet shallow_commits(const fs::path& git_folder) {
  IdSet ids;
  const std::string contents = contents_of(git_folder / "shallow").value_or(std::string());
  for (std::size_t start = 0; start + GIT_OID_HEXSZ <= contents.size(); start += GIT_OID_HEXSZ + 1) {
    if (const auto id = id_of(std::string_view(contents).substr(start, GIT_OID_HEXSZ))) ids.insert(*id);
  }
  return ids;
}

}  // namespace

std::optional<CommitParts> parse_commit(std::string_view data) {
  const auto tree = take_line(data, "tree ");
  const auto tree_id = tree ? id_of(*tree) : std::nullopt;
  if (!tree_id) return std::nullopt;
  CommitParts parts{*tree_id, {}};
  while (const auto parent = take_line(data, "parent ")) {
    const auto id = id_of(*parent);
    if (!id) return std::nullopt;
    parts.parents.push_back(*id);
  }
  return parts;
}

std::optional<std::vector<TreeEntry>> parse_tree(std::string_view data) {
  std::vector<TreeEntry> entries;
  while (!data.empty()) {
    const std::size_t space = data.find(' ');
    const std::size_t end = data.find('\0');
    if (space == std::string_view::npos || end == std::string_view::npos || space > end ||
        data.size() < end + 1 + GIT_OID_RAWSZ) {
      return std::nullopt;
    }
    TreeEntry entry;
    for (const char c : data.substr(0, space)) {
      if (c < '0' || c > '7') return std::nullopt;
      entry.mode = entry.mode * 8 + static_cast<std::uint32_t>(c - '0');
    }
    entry.name = data.substr(space + 1, end - space - 1);
    git_oid_fromraw(&entry.id, reinterpret_cast<const unsigned char*>(data.data()) + end + 1);
    entries.push_back(std::move(entry));
    data.remove_prefix(end + 1 + GIT_OID_RAWSZ);
  }
  return entries;
}

std::optional<std::pair<git_oid, git_object_t>> parse_tag(std::string_view data) {
  const auto object = take_line(data, "object ");
  const auto id = object ? id_of(*object) : std::nullopt;
  const auto type = take_line(data, "type ");
  if (!id || !type) return std::nullopt;
  return std::pair{*id, git_object_string2type(std::string(*type).c_str())};
}

base::Result<History> History::open(const fs::path& git_folder) {
  if (!is_folder(git_folder / "objects")) {
    return base::fail(base::system_error(ENOENT, "open the objects", git_folder / "objects"));
  }
  History history;
  history.store_ = std::make_shared<const ObjectStore>(ObjectStore::open(git_folder));
  history.decoder_ = std::make_unique<Decoder>();
  history.shallow_ = shallow_commits(git_folder);
  return history;
}

History History::on_same_store() const {
  History history;
  history.store_ = store_;
  history.decoder_ = std::make_unique<Decoder>();
  history.shallow_ = shallow_;
  return history;
}

bool History::has(const git_oid& id) const {
  return store_->has(id);
}

std::optional<ObjectData> History::read(const git_oid& id) const {
  const ObjectPointer object = store_->read(id, *decoder_);
  if (object == nullptr) return std::nullopt;
  return *object;
}

std::optional<git_object_t> History::type_of(const git_oid& id) const {
  return store_->type_of(id, *decoder_);
}

std::optional<CommitParts> History::commit(const git_oid& id) const {
  const auto object = read(id);
  if (!object || object->type != GIT_OBJECT_COMMIT) return std::nullopt;
  auto parts = parse_commit(object->bytes);
  if (parts && shallow_.contains(id)) parts->parents.clear();
  return parts;
}

std::optional<std::vector<TreeEntry>> History::tree(const git_oid& id) const {
  const auto object = read(id);
  if (!object || object->type != GIT_OBJECT_TREE) return std::nullopt;
  return parse_tree(object->bytes);
}

std::optional<git_oid> History::tree_of_commit(const git_oid& id) const {
  const auto parts = commit(id);
  if (!parts) return std::nullopt;
  return parts->tree;
}

std::optional<git_oid> History::peel_to_commit(const git_oid& id) const {
  git_oid current = id;
  for (int depth = 0; depth < 16; ++depth) {
    const auto object = read(current);
    if (!object) return std::nullopt;
    if (object->type == GIT_OBJECT_COMMIT) return current;
    if (object->type != GIT_OBJECT_TAG) return std::nullopt;
    const auto target = parse_tag(object->bytes);
    if (!target) return std::nullopt;
    current = target->first;
  }
  return std::nullopt;
}

std::vector<git_oid> History::commits_from(const git_oid& tip, std::size_t limit) const {
  std::vector<git_oid> commits;
  IdSet seen = {tip};
  std::deque<git_oid> pending = {tip};
  while (!pending.empty() && commits.size() < limit) {
    const git_oid id = pending.front();
    pending.pop_front();
    const auto parts = commit(id);
    if (!parts) continue;
    commits.push_back(id);
    for (const git_oid& parent : parts->parents) {
      if (seen.insert(parent).second) pending.push_back(parent);
    }
  }
  return commits;
}

bool History::is_ancestor(const git_oid& ancestor, const git_oid& of) const {
  IdSet seen = {of};
  std::vector<git_oid> pending = {of};
  while (!pending.empty()) {
    const git_oid id = pending.back();
    pending.pop_back();
    if (git_oid_equal(&id, &ancestor) != 0) return true;
    const auto parts = commit(id);
    if (!parts) continue;
    for (const git_oid& parent : parts->parents) {
      if (seen.insert(parent).second) pending.push_back(parent);
    }
  }
  return false;
}

int History::count_beyond(const git_oid& tip, const git_oid& base) const {
  if (git_oid_equal(&tip, &base) != 0) return 0;
  IdSet known;
  for (const git_oid& id : commits_from(base, 1000000)) known.insert(id);
  constexpr int kLimit = 10000;
  int count = 0;
  IdSet seen = {tip};
  std::vector<git_oid> pending = {tip};
  while (!pending.empty() && count < kLimit) {
    const git_oid id = pending.back();
    pending.pop_back();
    if (known.contains(id)) continue;
    const auto parts = commit(id);
    if (!parts) continue;
    ++count;
    for (const git_oid& parent : parts->parents) {
      if (seen.insert(parent).second) pending.push_back(parent);
    }
  }
  return count;
}

std::optional<FlatTree> flatten(const History& history, const git_oid& tree) {
  FlatTree flat;
  std::vector<std::pair<std::string, git_oid>> pending = {{"", tree}};
  while (!pending.empty()) {
    const auto [prefix, id] = pending.back();
    pending.pop_back();
    const auto entries = history.tree(id);
    if (!entries) return std::nullopt;
    for (const TreeEntry& entry : *entries) {
      const std::string path = prefix + entry.name;
      if (entry.is_folder()) {
        pending.emplace_back(path + "/", entry.id);
      } else {
        flat[path] = {entry.mode, entry.id};
      }
    }
  }
  return flat;
}

std::optional<git_oid> RefTable::resolve(const std::string& name) const {
  std::string current = name;
  for (int depth = 0; depth < 5; ++depth) {
    const auto found = refs.find(current);
    if (found == refs.end()) return std::nullopt;
    if (found->second.id) return found->second.id;
    current = found->second.symbolic;
  }
  return std::nullopt;
}

RefTable read_refs(const fs::path& git_folder) {
  return read_refs(git_folder, loose_ref_names(git_folder));
}

RefTable read_refs(const fs::path& git_folder, const std::vector<std::string>& loose_names) {
  RefTable table;
  const auto packed = contents_of(git_folder / "packed-refs");
  if (packed) {
    for (const auto& [name, id] : parse_packed_refs(*packed).refs) table.refs[name] = RefValue{id, {}};
  }
  for (const std::string& name : loose_names) {
    const auto contents = contents_of(git_folder / name);
    const auto value = contents ? parse_ref(*contents) : std::nullopt;
    if (value) {
      table.refs[name] = *value;
    } else {
      table.refs.erase(name);  // git does not look behind a damaged loose reference either
    }
  }
  return table;
}

std::optional<RefValue> read_head(const fs::path& git_folder) {
  const auto contents = contents_of(git_folder / "HEAD");
  return contents ? parse_ref(*contents) : std::nullopt;
}

std::optional<git_oid> head_commit(const fs::path& git_folder) {
  const auto head = read_head(git_folder);
  if (!head) return std::nullopt;
  if (head->id) return head->id;
  return read_refs(git_folder).resolve(head->symbolic);
}

bool Closure::present(const git_oid& id) const {
  return present_ != nullptr ? present_->contains(id) : history_.has(id);
}

void Closure::visit(const Step& step, std::vector<Step>& pending, const std::string& needed_by) {
  const auto lost = [&] {
    missing_ids_.insert(step.id);
    missing_.push_back({step.id, step.type, needed_by});
  };
  if (step.type == GIT_OBJECT_BLOB) {
    if (!present(step.id)) lost();
    return;
  }
  const auto object = history_.read(step.id);
  if (!object) return lost();
  const git_object_t type = object->type;
  if (step.type != GIT_OBJECT_ANY && step.type != type) return lost();
  if (type == GIT_OBJECT_COMMIT) {
    const auto parts = history_.commit(step.id);
    if (!parts) return lost();
    pending.push_back({parts->tree, GIT_OBJECT_TREE});
    for (const git_oid& parent : parts->parents) pending.push_back({parent, GIT_OBJECT_COMMIT});
  } else if (type == GIT_OBJECT_TREE) {
    const auto entries = parse_tree(object->bytes);
    if (!entries) return lost();
    for (const TreeEntry& entry : *entries) {
      if (!entry.is_submodule()) pending.push_back({entry.id, entry.is_folder() ? GIT_OBJECT_TREE : GIT_OBJECT_BLOB});
    }
  } else if (type == GIT_OBJECT_TAG) {
    const auto target = parse_tag(object->bytes);
    if (!target) return lost();
    pending.push_back({target->first, target->second});
  }
}

bool Closure::drain(std::vector<Step> pending, const std::string& needed_by) {
  const std::size_t before = missing_.size();
  bool hit_known_hole = false;
  while (!pending.empty()) {
    const Step step = pending.back();
    pending.pop_back();
    if (!seen_.insert(step.id).second) {
      hit_known_hole = hit_known_hole || missing_ids_.contains(step.id);
      continue;
    }
    visit(step, pending, needed_by);
  }
  return missing_.size() == before && !hit_known_hole;
}

bool Closure::add(const git_oid& root, const std::string& needed_by) {
  return drain({{root, GIT_OBJECT_ANY}}, needed_by);
}

bool Closure::add_tree(const git_oid& tree, const std::string& needed_by) {
  return drain({{tree, GIT_OBJECT_TREE}}, needed_by);
}

}  // namespace checkout
