#include "launcher/evacuation/bundle.h"

#include <fmt/format.h>

#include <algorithm>

#include "launcher/checkout/git/files.h"

namespace evacuation {

namespace fs = std::filesystem;
using base::Result;
using checkout::Closure;
using checkout::History;
using checkout::IdSet;

namespace {

constexpr std::size_t commits_max = 2'000'000;

// Names that keep something, and every commit that only a reflog remembers. References are read from their files, all
// of them: a glob over refs/stash would take it for a folder and find nothing.
std::map<std::string, git_oid> all_tips(const fs::path& git_folder, const History& history) {
  std::map<std::string, git_oid> tips;
  const checkout::RefTable table = checkout::read_refs(git_folder);
  for (const auto& [name, value] : table.refs) {
    // What was fetched is upstream's; tips that it has since thrown away are not the user's work either.
    if (name.starts_with("refs/remotes/") || name.starts_with("refs/podlaunch/fetched/")) continue;
    if (const auto id = table.resolve(name)) tips.emplace(name, *id);
  }
  if (const auto head = checkout::head_commit(git_folder)) tips.emplace("refs/podlaunch/head", *head);
  std::vector<std::string> logs = checkout::reflog_names(git_folder);
  logs.emplace_back("HEAD");
  IdSet remembered;
  for (const std::string& name : logs) {
    const auto text = checkout::contents_of(git_folder / "logs" / name);
    if (!text) continue;
    for (const auto& entry : checkout::parse_reflog(*text).entries) {
      for (const git_oid& id : {entry.before, entry.after}) {
        if (history.type_of(id) == GIT_OBJECT_COMMIT) remembered.insert(id);
      }
    }
  }
  for (const git_oid& id : remembered) tips.emplace("refs/podlaunch/reflog/" + checkout::hex_of(id), id);
  return tips;
}

IdSet upstream_commits(const fs::path& git_folder, const History& history) {
  IdSet commits;
  for (const auto& [name, value] : checkout::read_refs(git_folder).refs) {
    if (!name.starts_with("refs/remotes/") || !value.id) continue;
    if (commits.contains(*value.id)) continue;
    const auto found = history.commits_from(*value.id, commits_max);
    commits.insert(found.begin(), found.end());
  }
  return commits;
}

// Walks what the tips lead to, as far as upstream does not have it.
class Walk {
 public:
  Walk(const History& history, const IdSet& upstream, LocalHistory& result)
      : history_(history), upstream_(upstream), result_(result) {}

  // False: all of it is upstream's, or found under an earlier tip.
  bool from(const git_oid& tip) {
    const std::size_t before = result_.objects.size();
    add(tip);
    return result_.objects.size() > before;
  }

  // The content of the commits found; after all tips, when the boundary is known.
  void add_trees() {
    Closure known(history_);
    for (const git_oid& id : result_.boundary) {
      if (const auto tree = history_.tree_of_commit(id)) (void)known.add_tree(*tree, "upstream");
    }
    for (const git_oid& tree : trees_) add_tree(tree, known);
  }

 private:
  void add(const git_oid& tip) {
    std::vector<git_oid> pending{tip};
    while (!pending.empty()) {
      const git_oid id = pending.back();
      pending.pop_back();
      if (upstream_.contains(id) || seen_.contains(id)) continue;
      seen_.insert(id);
      const auto object = history_.read(id);
      if (!object) {
        result_.whole = false;
        continue;
      }
      result_.objects.push_back(id);
      if (object->type == GIT_OBJECT_TAG) {
        if (const auto target = checkout::parse_tag(object->bytes)) pending.push_back(target->first);
      } else if (object->type == GIT_OBJECT_TREE) {
        trees_.push_back(id);
        seen_.erase(id);
        result_.objects.pop_back();
      } else if (object->type == GIT_OBJECT_COMMIT) {
        add_commit(id, pending);
      }
    }
  }

  void add_commit(const git_oid& id, std::vector<git_oid>& pending) {
    const auto parts = history_.commit(id);
    if (!parts) {
      result_.whole = false;
      return;
    }
    ++result_.commits;
    trees_.push_back(parts->tree);
    for (const git_oid& parent : parts->parents) {
      pending.push_back(parent);
      const bool known = std::any_of(result_.boundary.begin(), result_.boundary.end(),
                                     [&](const git_oid& one) { return git_oid_equal(&one, &parent) != 0; });
      if (upstream_.contains(parent) && !known) result_.boundary.push_back(parent);
    }
  }

  void add_tree(const git_oid& root, const Closure& known) {
    std::vector<git_oid> pending{root};
    while (!pending.empty()) {
      const git_oid id = pending.back();
      pending.pop_back();
      if (known.contains(id) || !seen_.insert(id).second) continue;
      const auto object = history_.read(id);
      if (!object) {
        result_.whole = false;
        continue;
      }
      result_.objects.push_back(id);
      if (object->type != GIT_OBJECT_TREE) continue;
      const auto entries = checkout::parse_tree(object->bytes);
      if (!entries) result_.whole = false;
      for (const auto& entry : entries.value_or(std::vector<checkout::TreeEntry>())) {
        if (!entry.is_submodule()) pending.push_back(entry.id);
      }
    }
  }

  const History& history_;
  const IdSet& upstream_;
  LocalHistory& result_;
  IdSet seen_;
  std::vector<git_oid> trees_;
};

}  // namespace

Result<LocalHistory> find_local_history(const fs::path& git_folder) {
  const auto history = History::open(git_folder);
  if (!history) return base::fail(history.error());
  const IdSet upstream = upstream_commits(git_folder, *history);
  LocalHistory result;
  Walk walk(*history, upstream, result);
  // Names that people gave come first: what they lead to needs no name of ours.
  const auto tips = all_tips(git_folder, *history);
  for (const bool ours : {false, true}) {
    for (const auto& [name, id] : tips) {
      if (name.starts_with("refs/podlaunch/reflog/") != ours) continue;
      const bool found = walk.from(id);
      const bool at_risk = found || (!ours && !upstream.contains(id));
      if (at_risk) result.tips.emplace(name, id);
    }
  }
  walk.add_trees();
  return result;
}

std::string identity_of(const LocalHistory& history) {
  std::string text;
  for (const auto& [name, id] : history.tips) text += name + " " + checkout::hex_of(id) + "\n";
  for (const git_oid& id : history.boundary) text += "-" + checkout::hex_of(id) + "\n";
  return text;
}

Result<void> write_bundle(const fs::path& git_folder, const LocalHistory& history,
                          const std::function<bool(std::string_view)>& write) {
  const auto failed = [&](int code) {
    return base::fail(checkout::library_error(code, "bundle the commits of", git_folder.string()));
  };
  checkout::start_library();
  const auto repository = checkout::open_repository(git_folder, git_folder.parent_path());
  if (!repository) return base::fail(repository.error());
  git_packbuilder* made = nullptr;
  if (const int code = git_packbuilder_new(&made, repository->get()); code < 0) return failed(code);
  const checkout::Handle<git_packbuilder, git_packbuilder_free> builder(made);
  (void)git_packbuilder_set_threads(builder.get(), 1);
  for (const git_oid& id : history.objects) {
    if (const int code = git_packbuilder_insert(builder.get(), &id, nullptr); code < 0) return failed(code);
  }
  std::string head = "# v2 git bundle\n";
  for (const git_oid& id : history.boundary) head += fmt::format("-{} upstream\n", checkout::hex_of(id));
  for (const auto& [name, id] : history.tips) head += fmt::format("{} {}\n", checkout::hex_of(id), name);
  const auto take = [](void* bytes, std::size_t size, void* payload) {
    const auto& taker = *static_cast<const std::function<bool(std::string_view)>*>(payload);
    return taker({static_cast<const char*>(bytes), size}) ? 0 : -1;
  };
  if (!write(head + "\n")) return failed(-1);
  const int code = git_packbuilder_foreach(builder.get(), take, const_cast<void*>(static_cast<const void*>(&write)));
  if (code < 0) return failed(code);
  return {};
}

}  // namespace evacuation
