// Rescue: what could get lost is made safe before a treatment, and found again after it.
#include <fmt/format.h>
#include <git2.h>

#include <algorithm>

#include "launcher/checkout/git/index_file.h"
#include "launcher/checkout/treatment/treatment.h"
#include "launcher/checkout/treatment/wholeness.h"

namespace checkout {
namespace {

// Everything that says which commits there are: copied as it stands, damage included.
constexpr std::string_view kSafeguarded[] = {"HEAD", "packed-refs", "refs", "logs", "index"};

bool same_contents(const fs::path& one, const fs::path& other) {
  const Kind kind = kind_at(one);
  if (kind != kind_at(other)) return false;
  if (kind == Kind::kFile) return contents_of(one) == contents_of(other);
  if (kind != Kind::kFolder) return true;
  std::vector<fs::path> names;
  for (const fs::path& side : {one, other}) {
    std::error_code error;
    for (fs::directory_iterator entry(side, error), end; !error && entry != end; entry.increment(error)) {
      names.push_back(entry->path().filename());
    }
  }
  return std::all_of(names.begin(), names.end(),
                     [&](const fs::path& name) { return same_contents(one / name, other / name); });
}

bool kept_already(const Workshop& workshop) {
  std::error_code error;
  for (fs::directory_iterator entry(workshop.folder.quarantine(), error), end; !error && entry != end;
       entry.increment(error)) {
    const fs::path kept = entry->path() / "before";
    if (!is_folder(kept)) continue;
    if (std::all_of(std::begin(kSafeguarded), std::end(kSafeguarded),
                    [&](std::string_view name) { return same_contents(workshop.in_git(name), kept / name); })) {
      return true;
    }
  }
  return false;
}

}  // namespace

base::Result<void> rescue_references(Workshop& workshop) {
  if (kept_already(workshop)) return {};
  for (const std::string_view name : kSafeguarded) {
    const fs::path path = workshop.in_git(name);
    if (is_nothing(path)) continue;
    const auto kept =
        workshop.folder.copy_to_quarantine(path, fs::path("before") / name, "a copy from before the repair");
    if (!kept) return base::fail(kept.error());
  }
  if (const auto place = workshop.folder.quarantine_case()) {
    workshop.rescued.push_back({"references, their logs and the index as they were", (*place / "before").string()});
  }
  return {};
}

namespace {

// Everything that no reference and no HEAD leads to.
struct Unreachable {
  std::vector<git_oid> commits;
  std::vector<git_oid> trees;
  std::vector<git_oid> blobs;
};

Unreachable find_unreachable(const Workshop& workshop, const History& history) {
  Closure reachable(history);
  for (const auto& [name, value] : read_refs(workshop.scene.git_folder).refs) {
    if (value.id) (void)reachable.add(*value.id, name);  // holes were dealt with before
  }
  if (const auto head = head_commit(workshop.scene.git_folder)) (void)reachable.add(*head, "HEAD");
  if (const auto index = read_index_file(workshop.in_git("index"))) {
    for (const IndexEntry& entry : index->entries) reachable.add_blob(entry.id);
    for (const git_oid& tree : index->cached_trees) (void)reachable.add_tree(tree, "the index");
  }
  Unreachable found;
  for (const git_oid& id : all_object_ids(workshop.scene.git_folder)) {
    if (reachable.contains(id)) continue;
    const auto type = history.type_of(id);
    if (type == GIT_OBJECT_COMMIT) found.commits.push_back(id);
    if (type == GIT_OBJECT_TREE) found.trees.push_back(id);
    if (type == GIT_OBJECT_BLOB) found.blobs.push_back(id);
  }
  return found;
}

base::Result<void> rescue_commits(Workshop& workshop, const History& history, Wholeness& wholeness,
                                  const std::vector<git_oid>& commits, Closure& kept) {
  IdSet parents;
  for (const git_oid& id : commits) {
    const auto parts = history.commit(id);
    if (parts && wholeness.whole(id)) parents.insert(parts->parents.begin(), parts->parents.end());
  }
  for (const git_oid& id : commits) {
    if (parents.contains(id) || !wholeness.whole(id)) continue;  // a newer one keeps it; half a one is new damage
    const auto rescued = workshop.rescue_commit(id, "unreachable", "a commit that no reference led to any more");
    if (!rescued) return base::fail(rescued.error());
    (void)kept.add(id, "rescue");
  }
  return {};
}

// One commit that holds trees and blobs whose commit is gone, each under its id.
base::Result<void> rescue_pieces(Workshop& workshop, const std::vector<git_oid>& trees,
                                 const std::vector<git_oid>& blobs) {
  if (trees.empty() && blobs.empty()) return {};
  auto repository = open_repository(workshop.scene.git_folder, workshop.scene.work_tree);
  if (!repository) return base::fail(repository.error());
  git_treebuilder* made = nullptr;
  int code = git_treebuilder_new(&made, repository->get(), nullptr);
  const TreeBuilder builder(made);
  for (const auto& [ids, mode] : {std::pair{&trees, GIT_FILEMODE_TREE}, std::pair{&blobs, GIT_FILEMODE_BLOB}}) {
    for (const git_oid& id : *ids) {
      if (code == 0) code = git_treebuilder_insert(nullptr, builder.get(), hex_of(id).c_str(), &id, mode);
    }
  }
  git_oid tree_id;
  if (code == 0) code = git_treebuilder_write(&tree_id, builder.get());
  git_tree* found = nullptr;
  if (code == 0) code = git_tree_lookup(&found, repository->get(), &tree_id);
  const Tree tree(found);
  const auto signature = launcher_signature();
  if (!signature) return base::fail(signature.error());
  git_oid id;
  if (code == 0) {
    code = git_commit_create(&id, repository->get(), nullptr, signature->get(), signature->get(), nullptr,
                             "Files and folders whose commit is gone\n", tree.get(), 0, nullptr);
  }
  if (code < 0) return base::fail(library_error(code, "rescue what no commit leads to in", workshop.scene.git_folder));
  const auto rescued = workshop.rescue_commit(id, "pieces", "files and folders whose commit is gone");
  if (!rescued) return base::fail(rescued.error());
  return {};
}

}  // namespace

base::Result<void> rescue_unreachable(Workshop& workshop) {
  const auto history = History::open(workshop.scene.git_folder);
  if (!history) return base::fail(history.error());
  const Unreachable found = find_unreachable(workshop, *history);
  Wholeness wholeness(*history);
  Closure kept(*history);
  if (auto rescued = rescue_commits(workshop, *history, wholeness, found.commits, kept); !rescued) return rescued;
  // Trees first, largest claim first: a tree that lies in another one needs no name of its own.
  IdSet inside;
  for (const git_oid& id : found.trees) {
    const auto entries = history->tree(id);
    if (!entries || !wholeness.whole(id)) continue;
    for (const TreeEntry& entry : *entries) inside.insert(entry.id);
  }
  std::vector<git_oid> trees;
  for (const git_oid& id : found.trees) {
    if (inside.contains(id) || kept.contains(id) || !wholeness.whole(id)) continue;
    trees.push_back(id);
    (void)kept.add_tree(id, "rescue");
  }
  std::vector<git_oid> blobs;
  for (const git_oid& id : found.blobs) {
    if (!kept.contains(id)) blobs.push_back(id);
  }
  return rescue_pieces(workshop, trees, blobs);
}

}  // namespace checkout
