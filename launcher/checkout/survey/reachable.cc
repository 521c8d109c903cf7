// Is everything that must be there, there? Quick: the trees of HEAD's commit and the names of their files. Deep:
// all that HEAD, the references, their logs and the index lead to.
//
// Neither walks where it need not. When the index remembers HEAD's tree, its own list of trees and files is what the
// walk would find. And when no object of the database names anything that is not in it, all that is reachable is there
// as soon as the ends from which one would walk are (objects/examine.h). The walk itself is for telling what is
// missing, once something is.
#include <fmt/format.h>

#include <algorithm>

#include "launcher/checkout/git/files.h"
#include "launcher/checkout/survey/shared_look.h"

namespace checkout {
namespace {

using enum FindingKind;

void tell_missing(const Closure& closure, Findings& findings) {
  for (const Closure::Missing& missing : closure.missing()) {
    findings.push_back(
        make_finding(kObjectMissing, hex_of(missing.id),
                     fmt::format("This {} is needed by {}.", name_of_type(missing.type), missing.needed_by)));
  }
}

bool is_there(const SharedLook& look, const ObjectsLook& objects, const git_oid& id) {
  return objects.loose_ids.contains(id) || look.history->has(id);
}

std::vector<std::string> log_names(const SharedLook& look) {
  auto names = look.logged_refs;
  names.push_back("HEAD");
  return names;
}

Reflog log_of(const Scene& scene, const std::string& name) {
  return parse_reflog(contents_of(scene.git_folder / "logs" / name).value_or(std::string()));
}

void survey_logs(const Scene& scene, const SharedLook& look, const ObjectsLook& objects, Findings& findings) {
  for (const std::string& name : log_names(look)) {
    int lost = 0;
    for (const ReflogEntry& entry : log_of(scene, name).entries) {
      for (const git_oid& id : {entry.before, entry.after}) {
        if (git_oid_is_zero(&id) == 0 && !is_there(look, objects, id)) ++lost;
      }
    }
    if (lost == 0) continue;
    findings.push_back(make_finding(kReflogDamaged, where_of(scene, scene.git_folder / "logs" / name),
                                    fmt::format("{} of its ids name nothing that is here.", lost)));
  }
}

bool index_is_whole(const SharedLook& look, const ObjectsLook& objects) {
  if (!look.index) return true;  // told elsewhere
  const auto there = [&](const git_oid& id) { return is_there(look, objects, id); };
  return std::all_of(
             look.index->entries.begin(), look.index->entries.end(),
             [&](const IndexEntry& entry) { return entry.is_submodule() || entry.skipped || there(entry.id); }) &&
         std::all_of(look.index->cached_trees.begin(), look.index->cached_trees.end(), there);
}

void add_index(const SharedLook& look, const ObjectsLook& objects, Closure& closure, Findings& findings) {
  if (!look.index) return;
  for (const IndexEntry& entry : look.index->entries) {
    if (entry.is_submodule() || entry.skipped || is_there(look, objects, entry.id)) continue;
    if (closure.contains(entry.id)) continue;  // told already
    findings.push_back(make_finding(kObjectMissing, hex_of(entry.id),
                                    fmt::format("This blob is needed by the index for {}.", entry.path)));
  }
  for (const git_oid& tree : look.index->cached_trees) {
    (void)closure.add_tree(tree, "the index");  // told from the closure
  }
}

// Tells by whom the missing objects are needed. A missing end of a reference or a log is told as such elsewhere.
void walk(const Scene& scene, const SharedLook& look, const ObjectsLook& objects, Findings& findings) {
  Closure closure(*look.history);
  const auto add = [&](const git_oid& id, const std::string& needed_by) {
    if (is_there(look, objects, id)) (void)closure.add(id, needed_by);  // told from the closure
  };
  if (look.head) (void)closure.add(*look.head, "HEAD");
  for (const auto& [name, value] : look.refs.refs) {
    if (value.id) add(*value.id, name);
  }
  for (const std::string& name : log_names(look)) {
    for (const ReflogEntry& entry : log_of(scene, name).entries) {
      for (const git_oid& id : {entry.before, entry.after}) {
        if (git_oid_is_zero(&id) == 0) add(id, "the log of " + name);
      }
    }
  }
  add_index(look, objects, closure, findings);
  tell_missing(closure, findings);
}

void survey_all(const Scene& scene, const SharedLook& look, const ObjectsLook& objects, Findings& findings) {
  const Examination examination{look.history->store(), objects.loose, objects.loose_ids, look.history->shallow()};
  Examined examined = objects.examined;
  examination.examine_packs(scene.depth == Depth::kFull, examined);
  for (const StoredPack* pack : examined.damaged_packs) {
    findings.push_back(
        make_finding(kPackDamaged, where_of(scene, pack->path), "An object in it does not fit its name."));
  }
  if (!examined.damaged_packs.empty()) return;
  survey_logs(scene, look, objects, findings);
  const bool head_is_there = !look.head || is_there(look, objects, *look.head);
  if (examined.every_link_lands && head_is_there && index_is_whole(look, objects)) return;
  walk(scene, look, objects, findings);
}

// The index remembers the tree that HEAD has: what the index names is what HEAD needs.
bool index_is_of_head(const SharedLook& look, const git_oid& tree) {
  return look.index && look.index_checksum_fits && look.index->tree && same_id(*look.index->tree, tree);
}

// What a fetch will read of what is here: libgit2 would never return from a loose commit that is cut off. Packed ones
// were synced when they came, and end the walk.
void survey_loose_commits(const Scene& scene, const SharedLook& look, const ObjectsLook& objects, Findings& findings) {
  constexpr std::size_t kCommitsMax = 1000;
  std::vector<git_oid> pending;
  for (const auto& [name, value] : look.refs.refs) {
    if (value.id) pending.push_back(*value.id);
  }
  if (look.head) pending.push_back(*look.head);
  IdSet seen;
  while (!pending.empty() && seen.size() < kCommitsMax) {
    const git_oid id = pending.back();
    pending.pop_back();
    if (!objects.loose_ids.contains(id) || !seen.insert(id).second) continue;
    if (const auto commit = look.history->commit(id)) {
      pending.insert(pending.end(), commit->parents.begin(), commit->parents.end());
    } else if (!look.history->read(id)) {
      const auto file = std::find_if(objects.loose.begin(), objects.loose.end(),
                                     [&](const LooseFile& one) { return one.id && same_id(*one.id, id); });
      findings.push_back(make_finding(kLooseObjectDamaged, where_of(scene, file->path), "It cannot be read."));
    }
  }
}

void survey_head_tree(const SharedLook& look, const ObjectsLook& objects, Findings& findings) {
  if (!look.head || !is_there(look, objects, *look.head)) return;
  const auto tree = look.history->tree_of_commit(*look.head);
  if (!tree) {
    findings.push_back(make_finding(kObjectMissing, hex_of(*look.head), "HEAD's commit cannot be read."));
    return;
  }
  if (index_is_of_head(look, *tree) && index_is_whole(look, objects)) return;
  Closure closure(*look.history);
  (void)closure.add_tree(*tree, "HEAD");  // told from the closure
  tell_missing(closure, findings);
}

}  // namespace

void survey_reachable(const Scene& scene, const ObjectsLook& objects, Findings& findings) {
  const auto look = look_at(scene);
  if (!look->history) return;
  for (const Finding& finding : findings) {
    // Objects that are promised by a remote are missing on purpose. And while a pack is damaged everything in it seems
    // to be missing: that is looked at again once the pack is treated.
    if (finding.kind == kPartialClone || finding.kind == kPackDamaged || finding.kind == kPackIndexDamaged) return;
  }
  if (scene.deep()) {
    survey_all(scene, *look, objects, findings);
  } else {
    survey_loose_commits(scene, *look, objects, findings);
    survey_head_tree(*look, objects, findings);
  }
}

}  // namespace checkout
