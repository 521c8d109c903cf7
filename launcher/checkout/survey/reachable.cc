// Is everything that must be there, there? Quick: the trees of HEAD's commit and the names of their files. Deep:
// all that HEAD, the references, their logs and the index lead to.
#include <fmt/format.h>

#include "launcher/checkout/git/files.h"
#include "launcher/checkout/git/history.h"
#include "launcher/checkout/git/index_file.h"
#include "launcher/checkout/survey/survey.h"

namespace checkout {
namespace {

using enum FindingKind;

std::string_view type_name(git_object_t type) {
  return type == GIT_OBJECT_ANY ? "object" : git_object_type2string(type);
}

void tell_missing(const Closure& closure, Findings& findings) {
  for (const Closure::Missing& missing : closure.missing()) {
    findings.push_back(
        make_finding(kObjectMissing, hex_of(missing.id),
                     fmt::format("This {} is needed by {}.", type_name(missing.type), missing.needed_by)));
  }
}

void add_logs(const Scene& scene, const History& history, Closure& closure, Findings& findings) {
  auto names = reflog_names(scene.git_folder);
  names.push_back("HEAD");
  for (const std::string& name : names) {
    const fs::path path = scene.git_folder / "logs" / name;
    const Reflog log = parse_reflog(contents_of(path).value_or(std::string()));
    int lost = 0;
    for (const ReflogEntry& entry : log.entries) {
      for (const git_oid& id : {entry.before, entry.after}) {
        if (git_oid_is_zero(&id) != 0) continue;
        if (!history.has(id)) {
          ++lost;
        } else {
          (void)closure.add(id, "the log of " + name);  // what is missing is told from the closure
        }
      }
    }
    if (lost > 0) {
      findings.push_back(make_finding(kReflogDamaged, where_of(scene, path),
                                      fmt::format("{} of its ids name nothing that is here.", lost)));
    }
  }
}

void add_index(const Scene& scene, Closure& closure, const IdSet& present, Findings& findings) {
  const auto index = read_index_file(scene.git_folder / "index");
  if (!index) return;
  for (const IndexEntry& entry : index->entries) {
    if (entry.is_submodule() || entry.skipped || present.contains(entry.id)) continue;
    if (closure.contains(entry.id)) continue;  // told already
    findings.push_back(make_finding(kObjectMissing, hex_of(entry.id),
                                    fmt::format("This blob is needed by the index for {}.", entry.path)));
  }
  for (const git_oid& tree : index->cached_trees) (void)closure.add_tree(tree, "the index");  // told from the closure
}

void survey_all(const Scene& scene, const History& history, Findings& findings) {
  const IdSet present = all_object_ids(scene.git_folder);
  Closure closure(history);
  closure.know(&present);
  if (const auto head = head_commit(scene.git_folder)) (void)closure.add(*head, "HEAD");  // told from the closure
  const RefTable table = read_refs(scene.git_folder);
  for (const auto& [name, value] : table.refs) {
    // A missing target is a dangling reference and told as such.
    if (value.id && history.has(*value.id)) (void)closure.add(*value.id, name);
  }
  add_logs(scene, history, closure, findings);
  add_index(scene, closure, present, findings);
  tell_missing(closure, findings);
}

void survey_head_tree(const Scene& scene, const History& history, Findings& findings) {
  const auto head = head_commit(scene.git_folder);
  if (!head || !history.has(*head)) return;
  Closure closure(history);
  if (const auto tree = history.tree_of_commit(*head)) {
    (void)closure.add_tree(*tree, "HEAD");  // told from the closure
    tell_missing(closure, findings);
  } else {
    findings.push_back(make_finding(kObjectMissing, hex_of(*head), "HEAD's commit cannot be read."));
  }
}

}  // namespace

void survey_reachable(const Scene& scene, Findings& findings) {
  const auto history = History::open(scene.git_folder);
  if (!history) return;
  for (const Finding& finding : findings) {
    // Objects that are promised by a remote are missing on purpose. And while a pack is damaged everything in it seems
    // to be missing: that is looked at again once the pack is treated.
    if (finding.kind == kPartialClone || finding.kind == kPackDamaged || finding.kind == kPackIndexDamaged) return;
  }
  if (scene.depth == Depth::kDeep) {
    survey_all(scene, *history, findings);
  } else {
    survey_head_tree(scene, *history, findings);
  }
}

}  // namespace checkout
