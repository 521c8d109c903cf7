// Rescue: what could get lost is made safe before a treatment, and found again after it.
#include <fmt/format.h>
#include <git2.h>

#include <algorithm>

#include "launcher/checkout/treatment/treatment.h"

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

base::Result<void> rescue_unreachable(Workshop& workshop) {
  const auto history = History::open(workshop.scene.git_folder);
  if (!history) return base::fail(history.error());
  const RefTable table = read_refs(workshop.scene.git_folder);
  IdSet reachable;
  const auto reach = [&](const git_oid& tip) {
    const auto commit = history->peel_to_commit(tip);
    if (!commit) return;
    std::vector<git_oid> pending = {*commit};
    while (!pending.empty()) {
      const git_oid id = pending.back();
      pending.pop_back();
      if (!reachable.insert(id).second) continue;
      const auto parts = history->commit(id);
      if (parts) pending.insert(pending.end(), parts->parents.begin(), parts->parents.end());
    }
  };
  for (const auto& [name, value] : table.refs) {
    if (value.id) reach(*value.id);
  }
  if (const auto head = head_commit(workshop.scene.git_folder)) reach(*head);

  std::vector<git_oid> loose_commits;
  IdSet parents;
  for (const git_oid& id : all_object_ids(workshop.scene.git_folder)) {
    if (reachable.contains(id)) continue;
    if (history->type_of(id) != GIT_OBJECT_COMMIT) continue;
    const auto parts = history->commit(id);
    if (!parts) continue;
    loose_commits.push_back(id);
    parents.insert(parts->parents.begin(), parts->parents.end());
  }
  for (const git_oid& id : loose_commits) {
    if (parents.contains(id)) continue;  // a newer one keeps it
    Closure closure(*history);
    if (!closure.add(id, "rescue")) continue;  // half a commit would only be new damage
    const auto rescued = workshop.rescue_commit(id, "unreachable", "a commit that no reference led to any more");
    if (!rescued) return base::fail(rescued.error());
  }
  return {};
}

}  // namespace checkout
