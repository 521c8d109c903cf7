// Objects that something needs and that are nowhere. In this order:
//
//   1. from the work tree: a file there may hold the very bytes, and an index the very trees;
//   2. from the remote: first what it has beyond the commits that are whole here (beyond.cc), then, where that does not
//      help, all of it: a side clone's packs are moved in. Fetching in place heals nothing, since the references match
//      already and so nothing would be sent;
//   3. what neither has was only ever here and is lost. Each reference goes back to the newest of its commits that is
//      whole, what is left of the others is kept under a rescue reference, and the logs and the index let go of them.
//
// The third step is taken only when the remote has answered (or there is none): what it has is not lost.
#include <fmt/format.h>
#include <git2.h>

#include <algorithm>

#include "launcher/checkout/git/index_file.h"
#include "launcher/checkout/treatment/treatment.h"
#include "launcher/checkout/treatment/wholeness.h"

namespace checkout {
namespace {

using enum FindingKind;

IdSet missing_ids(const Survey& survey) {
  IdSet ids;
  for (const Finding& finding : survey.findings) {
    if (finding.kind != kObjectMissing) continue;
    if (const auto id = id_of(finding.where)) ids.insert(*id);
  }
  return ids;
}

// Trees are written from the entries alone: an index that remembers its trees would not write them again.
void write_trees(git_repository* repository, const IndexFile& index) {
  git_index* made = nullptr;
  if (git_index_new(&made) < 0) return;
  const Index plain(made);
  for (const IndexEntry& entry : index.entries) {
    if (entry.stage != 0) return;
    git_index_entry added{};
    added.id = entry.id;
    added.mode = entry.mode;
    added.path = entry.path.c_str();
    if (git_index_add(plain.get(), &added) < 0) return;
  }
  git_oid tree;
  (void)git_index_write_tree_to(&tree, plain.get(), repository);  // the next survey tells whether it helped
}

base::Result<int> bring_back_from_files(Workshop& workshop, const IdSet& wanted) {
  const auto index = read_index_file(workshop.in_git("index"));
  auto repository = open_repository(workshop.scene.git_folder, workshop.scene.work_tree);
  if (!index || !repository) return 0;
  int found = 0;
  for (const IndexEntry& entry : index->entries) {
    if (!wanted.contains(entry.id) || entry.is_submodule()) continue;
    git_oid id;
    if (git_repository_hashfile(&id, repository->get(), entry.path.c_str(), GIT_OBJECT_BLOB, entry.path.c_str()) < 0 ||
        git_oid_equal(&id, &entry.id) == 0) {
      continue;
    }
    const int code = git_blob_create_from_workdir(&id, repository->get(), entry.path.c_str());
    if (code < 0) return base::fail(library_error(code, "store the contents of", entry.path));
    ++found;
  }
  write_trees(repository->get(), *index);
  const auto history = History::open(workshop.scene.git_folder);
  if (!history) return found;
  return static_cast<int>(
      std::count_if(wanted.begin(), wanted.end(), [&](const git_oid& id) { return history->has(id); }));
}

// The tree without the entries that cannot be had. nullopt when nothing of it is left.
std::optional<git_oid> remains_of_tree(git_repository* repository, const History& history, const git_oid& tree) {
  const auto entries = history.tree(tree);
  if (!entries) return std::nullopt;
  git_treebuilder* made = nullptr;
  if (git_treebuilder_new(&made, repository, nullptr) < 0) return std::nullopt;
  const TreeBuilder builder(made);
  for (const TreeEntry& entry : *entries) {
    std::optional<git_oid> kept;
    if (entry.is_folder()) {
      kept = remains_of_tree(repository, history, entry.id);
    } else if (entry.is_submodule() || history.has(entry.id)) {
      kept = entry.id;
    }
    if (!kept) continue;
    (void)git_treebuilder_insert(nullptr, builder.get(), entry.name.c_str(), &*kept,
                                 static_cast<git_filemode_t>(entry.mode));  // an odd name is left out like the rest
  }
  if (git_treebuilder_entrycount(builder.get()) == 0) return std::nullopt;
  git_oid written;
  if (git_treebuilder_write(&written, builder.get()) < 0) return std::nullopt;
  return written;
}

// One new commit for each broken one, oldest first, with what is left of its files.
std::optional<git_oid> remains_of_history(git_repository* repository, const History& history, Wholeness& wholeness,
                                          const git_oid& tip) {
  std::vector<git_oid> broken;
  for (const git_oid& id : history.commits_from(tip, 1000)) {
    if (!wholeness.whole(id)) broken.push_back(id);
  }
  const auto signature = launcher_signature();
  if (!signature) return std::nullopt;
  std::optional<git_oid> last;
  for (auto id = broken.rbegin(); id != broken.rend(); ++id) {
    const auto parts = history.commit(*id);
    const auto tree_id = parts ? remains_of_tree(repository, history, parts->tree) : std::nullopt;
    git_tree* found = nullptr;
    if (!tree_id || git_tree_lookup(&found, repository, &*tree_id) < 0) continue;
    const Tree tree(found);
    Commit parent;
    if (last) {
      git_commit* commit = nullptr;
      if (git_commit_lookup(&commit, repository, &*last) < 0) continue;
      parent.reset(commit);
    }
    const git_commit* parents[] = {parent.get()};
    const std::string message =
        fmt::format("What is left of {}\n\nSome of its objects were damaged and nowhere else.\n", hex_of(*id));
    git_oid written;
    if (git_commit_create(&written, repository, nullptr, signature->get(), signature->get(), nullptr, message.c_str(),
                          tree.get(), parent ? 1 : 0, parents) == 0) {
      last = written;
    }
  }
  return last;
}

std::optional<git_oid> newest_whole(const Workshop& workshop, const History& history, Wholeness& wholeness,
                                    const std::string& name, const git_oid& tip) {
  for (const git_oid& id : history.commits_from(tip, 100000)) {
    if (wholeness.whole(id)) return id;
  }
  const Reflog log = parse_reflog(contents_of(workshop.in_git(fs::path("logs") / name)).value_or(std::string()));
  for (auto entry = log.entries.rbegin(); entry != log.entries.rend(); ++entry) {
    for (const git_oid& id : {entry->after, entry->before}) {
      if (git_oid_is_zero(&id) == 0 && wholeness.whole(id)) return id;
    }
  }
  const auto upstream = read_refs(workshop.scene.git_folder).resolve("refs/remotes/origin/" + short_name(name));
  if (upstream && wholeness.whole(*upstream)) return upstream;
  return std::nullopt;
}

base::Result<void> go_back(Workshop& workshop, git_repository* repository, const History& history, Wholeness& wholeness,
                           const std::string& name, const git_oid& tip) {
  if (const auto remains = remains_of_history(repository, history, wholeness, tip)) {
    const auto rescued = workshop.rescue_commit(*remains, "remains-of-" + short_name(name),
                                                fmt::format("what is left of {} at {}", name, hex_of(tip)));
    if (!rescued) return base::fail(rescued.error());
  }
  const bool upstream_s = name.starts_with("refs/remotes/") || name.starts_with("refs/tags/");
  std::optional<git_oid> target;
  if (upstream_s && workshop.upstream_refs) target = workshop.upstream_refs->resolve(name);
  if (!upstream_s) target = newest_whole(workshop, history, wholeness, name, tip);
  if (target && wholeness.whole(*target)) {
    workshop.warn(fmt::format("{} pointed at {}, which cannot be made whole; it is now at {}.", name, hex_of(tip),
                              hex_of(*target)));
    if (name == "HEAD") return workshop.write_head({*target, {}});
    return workshop.write_ref(name, *target, "back to the newest whole commit");
  }
  workshop.wants_full_fetch = workshop.wants_full_fetch || upstream_s;
  workshop.warn(fmt::format("{} pointed at {}, of which nothing whole is left.", name, hex_of(tip)));
  if (name == "HEAD") return {};
  return workshop.drop_ref(name, "its object " + hex_of(tip) + " is gone");
}

base::Result<void> let_logs_go(Workshop& workshop, Wholeness& wholeness) {
  auto names = reflog_names(workshop.scene.git_folder);
  names.push_back("HEAD");
  for (const std::string& name : names) {
    const fs::path path = workshop.in_git(fs::path("logs") / name);
    const auto contents = contents_of(path);
    if (!contents) continue;
    std::string kept;
    for (const ReflogEntry& entry : parse_reflog(*contents).entries) {
      const bool before = git_oid_is_zero(&entry.before) != 0 || wholeness.whole(entry.before);
      const bool after = git_oid_is_zero(&entry.after) != 0 || wholeness.whole(entry.after);
      if (before && after) kept += entry.line;
    }
    if (kept == *contents) continue;
    if (auto copied = workshop.keep_copy(path, "it names objects that are gone"); !copied) return copied;
    if (auto written = workshop.folder.write_durably(path, kept); !written) return written;
  }
  return {};
}

// Entries whose contents are gone fall back to HEAD's, so that the file itself shows as a local change.
base::Result<void> let_index_go(Workshop& workshop, const History& history) {
  const auto index = read_index_file(workshop.in_git("index"));
  if (!index) return {};
  const bool sound =
      std::all_of(index->entries.begin(), index->entries.end(),
                  [&](const IndexEntry& entry) { return entry.is_submodule() || history.has(entry.id); }) &&
      std::all_of(index->cached_trees.begin(), index->cached_trees.end(),
                  [&](const git_oid& id) { return history.has(id); });
  if (sound) return {};
  const auto head = head_commit(workshop.scene.git_folder);
  const auto tree = head ? history.tree_of_commit(*head) : std::nullopt;
  const FlatTree flat = tree ? flatten(history, *tree).value_or(FlatTree()) : FlatTree();
  const auto staged = workshop.folder.fresh_staging_path("index");
  if (!staged) return base::fail(staged.error());
  git_index* opened = nullptr;
  int code = git_index_open(&opened, staged->c_str());
  const Index fresh(opened);
  for (const IndexEntry& entry : index->entries) {
    git_index_entry added{};
    added.path = entry.path.c_str();
    added.id = entry.id;
    added.mode = entry.mode;
    GIT_INDEX_ENTRY_STAGE_SET(&added, entry.stage);
    if (!entry.is_submodule() && !history.has(entry.id)) {
      const auto from_head = flat.find(entry.path);
      if (from_head == flat.end() || entry.stage != 0) continue;
      added.id = from_head->second.id;
      added.mode = from_head->second.mode;
    }
    if (code == 0) code = git_index_add(fresh.get(), &added);
  }
  if (code == 0) code = git_index_write(fresh.get());
  if (code < 0) return base::fail(library_error(code, "write the index again", *staged));
  if (auto kept = workshop.keep_copy(workshop.in_git("index"), "it names objects that are gone"); !kept) return kept;
  return rename_durably(*staged, workshop.in_git("index"));
}

base::Result<void> let_go(Workshop& workshop) {
  const auto history = History::open(workshop.scene.git_folder);
  auto repository = open_repository(workshop.scene.git_folder, workshop.scene.work_tree);
  if (!history) return base::fail(history.error());
  if (!repository) return base::fail(repository.error());
  Wholeness wholeness(*history);
  const RefTable table = read_refs(workshop.scene.git_folder);
  for (const auto& [name, value] : table.refs) {
    const auto tip = table.resolve(name);
    if (!value.id) {
      if (tip) continue;
      if (auto dropped = workshop.drop_ref(name, "it names a reference that does not exist"); !dropped) return dropped;
    } else if (!wholeness.whole(*value.id)) {
      if (auto back = go_back(workshop, repository->get(), *history, wholeness, name, *value.id); !back) return back;
    }
  }
  const auto head = read_head(workshop.scene.git_folder);
  if (head && head->id && !wholeness.whole(*head->id)) {
    if (auto back = go_back(workshop, repository->get(), *history, wholeness, "HEAD", *head->id); !back) return back;
  }
  if (auto gone = let_logs_go(workshop, wholeness); !gone) return gone;
  return let_index_go(workshop, *history);
}

bool only_remote_s_references(const Survey& survey) {
  return std::all_of(survey.findings.begin(), survey.findings.end(), [](const Finding& finding) {
    if (finding.kind == kObjectMissing) return false;
    return finding.kind != kRefDangling || finding.where.starts_with("refs/remotes/");
  });
}

}  // namespace

base::Result<bool> treat_missing(Workshop& workshop, const Survey& survey) {
  const IdSet wanted = missing_ids(survey);
  bool changed = false;
  if (!wanted.empty()) {
    const auto found = bring_back_from_files(workshop, wanted);
    if (!found) return base::fail(found.error());
    if (*found > 0) workshop.did(fmt::format("Brought {} objects back from the work tree.", *found));
    changed = *found > 0;
    if (static_cast<std::size_t>(*found) == wanted.size() && !survey.has(kRefDangling)) return true;
  }
  workshop.references_were_lost = true;
  const bool fresh = !workshop.upstream_refs.has_value();
  if (only_remote_s_references(survey)) {
    // Cheaper than a graft: these are only a memory of the remote, and the next fetch renews it.
    if (auto gone = let_go(workshop); !gone) return base::fail(gone.error());
    workshop.did("Let go of references that remembered the remote.");
    return true;
  }
  if (!workshop.grafted_beyond) {
    workshop.grafted_beyond = true;
    const auto grafted = graft_beyond(workshop);
    if (!grafted) return base::fail(grafted.error());
    if (*grafted) return true;
  }
  const auto grafted = graft(workshop);
  if (!grafted) return base::fail(grafted.error());
  if (*grafted && fresh) return true;
  if (!*grafted && !workshop.remote.url.empty()) return changed;
  if (auto gone = let_go(workshop); !gone) return base::fail(gone.error());
  workshop.did("Let go of what is nowhere any more.");
  return true;
}

}  // namespace checkout
