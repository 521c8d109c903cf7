// A small graft: what the remote has beyond the commits of which everything is here.
#include <git2.h>

#include <algorithm>

#include "launcher/checkout/git/lent_commits.h"
#include "launcher/checkout/treatment/treatment.h"
#include "launcher/checkout/treatment/wholeness.h"

namespace checkout {
namespace {

constexpr std::size_t kTipsMax = 200;  // libgit2 asks about no more than 256 commits anyway

std::vector<git_oid> commits_of_references(const History& history, const RefTable& table) {
  std::vector<git_oid> commits;
  IdSet seen;
  std::vector<git_oid> pending;
  for (const auto& [name, value] : table.refs) {
    const auto tip = value.id ? history.peel_to_commit(*value.id) : std::nullopt;
    if (tip) pending.push_back(*tip);
  }
  while (!pending.empty()) {
    const git_oid id = pending.back();
    pending.pop_back();
    if (!seen.insert(id).second) continue;
    const auto parts = history.commit(id);
    if (!parts) continue;
    commits.push_back(id);
    pending.insert(pending.end(), parts->parents.begin(), parts->parents.end());
  }
  return commits;
}

std::shared_ptr<const LentCommits> whole_commits(const fs::path& git_folder) {
  const auto history = History::open(git_folder);
  if (!history) return nullptr;
  Wholeness wholeness(*history);
  auto lent = std::make_shared<LentCommits>();
  lent->store = history->shared_store();
  IdSet parents;
  for (const git_oid& id : commits_of_references(*history, read_refs(git_folder))) {
    if (!wholeness.whole(id)) continue;
    lent->ids.insert(id);
    const auto parts = history->commit(id);
    parents.insert(parts->parents.begin(), parts->parents.end());
  }
  for (const git_oid& id : lent->ids) {
    if (!parents.contains(id) && lent->tips.size() < kTipsMax) lent->tips.push_back(id);
  }
  return lent->tips.empty() ? nullptr : lent;
}

}  // namespace

base::Result<bool> graft_beyond(Workshop& workshop) {
  if (workshop.upstream_refs || workshop.remote_error || workshop.remote.url.empty()) return false;
  if (workshop.remote.transport != Transport::kLibgit2) return false;
  RemoteSettings settings = workshop.remote;
  settings.lent = whole_commits(workshop.scene.git_folder);
  if (settings.lent == nullptr) return false;
  const auto side = workshop.folder.fresh_staging_path("beyond.git");
  if (!side) return base::fail(side.error());
  git_repository* made = nullptr;
  const int code = git_repository_init(&made, side->c_str(), 1);
  const Repository repository(made);
  if (code < 0) return base::fail(library_error(code, "make a side clone in", *side));
  const auto fetched = fetch(*side, settings, Fetch::kEverything);
  if (!fetched) {
    if (fetched.error().code == base::ErrorCode::kNoSpace) return base::fail(fetched.error());
    if (fetched.error().code == base::ErrorCode::kNetwork) workshop.remote_error = fetched.error();
    return false;  // the full graft tells what is wrong
  }
  const auto moved = move_packs(*side / "objects" / "pack", workshop.in_git("objects/pack"));
  if (!moved) return base::fail(moved.error());
  if (*moved == 0) return false;
  workshop.did("Fetched what the remote has beyond the commits that are whole, and grafted it in.");
  return true;
}

}  // namespace checkout
