#include "launcher/checkout/update.h"

#include <fmt/format.h>
#include <git2.h>
#include <git2/sys/repository.h>

#include <algorithm>

#include "launcher/checkout/git/conversation_folder.h"
#include "launcher/checkout/git/filters.h"
#include "launcher/checkout/move.h"
#include "launcher/checkout/update_decision.h"

namespace checkout {
namespace {

using enum FindingKind;

struct Situation {
  Upstream upstream;
  std::string branch;                 // the local branch that is wanted, full name; empty for tags and commits
  std::optional<git_oid> local;       // where it is
  std::optional<git_oid> remembered;  // where upstream was, as of the last fetch
  git_oid head;
  Relation relation = Relation::kSame;
};

// Where upstream was at earlier updates, as far as it has left that behind since.
std::string fetched_prefix(const std::string& branch) {
  return "refs/podlaunch/fetched/" + branch + "/";
}

// Every commit that upstream's branch is known to have been at: what was fetched before cannot be a local commit.
bool came_from_upstream(const Workshop& workshop, const History& history, const Situation& situation) {
  const git_oid& local = *situation.local;
  const std::string prefix = fetched_prefix(situation.upstream.name);
  for (const auto& [name, value] : read_refs(workshop.scene.git_folder).refs) {
    if (name.starts_with(prefix) && value.id && history.is_ancestor(local, *value.id)) return true;
  }
  if (situation.remembered && history.is_ancestor(local, *situation.remembered)) return true;
  const fs::path log = workshop.in_git("logs/refs/remotes/origin/" + situation.upstream.name);
  for (const ReflogEntry& entry : parse_reflog(contents_of(log).value_or(std::string())).entries) {
    if (history.is_ancestor(local, entry.after)) return true;
  }
  return false;
}

Relation relation_of(const Workshop& workshop, const History& history, const Situation& situation) {
  if (!situation.local) return Relation::kNoLocalBranch;
  const git_oid& local = *situation.local;
  const git_oid& upstream = situation.upstream.commit;
  if (git_oid_equal(&local, &upstream) != 0) return Relation::kSame;
  if (history.is_ancestor(local, upstream)) return Relation::kBehind;
  // Upstream went back: what was fetched from there before and is no local commit does not count as one.
  if (came_from_upstream(workshop, history, situation)) return Relation::kRewritten;
  return history.is_ancestor(upstream, local) ? Relation::kAhead : Relation::kDiverged;
}

void tell(const Workshop& workshop, const Situation& situation, UpdateReport& report) {
  const auto head = read_head(workshop.scene.git_folder);
  if (!situation.branch.empty() && head && head->symbolic != situation.branch) {
    report.findings.push_back(
        make_finding(kWrongBranch, "HEAD",
                     fmt::format("HEAD is at {}, and {} was asked for.",
                                 head->symbolic.empty() ? hex_of(situation.head) : short_name(head->symbolic),
                                 short_name(situation.branch))));
  }
  if (situation.relation == Relation::kDiverged) {
    report.findings.push_back(make_finding(kDiverged, situation.branch, "Both sides have commits of their own."));
  }
  if (situation.relation == Relation::kRewritten) {
    report.findings.push_back(make_finding(kUpstreamRewritten, situation.branch,
                                           fmt::format("Upstream threw away commit {}, which had come from there.",
                                                       hex_of(*situation.local).substr(0, 12))));
  }
}

std::string list_some(const std::vector<std::string>& paths) {
  std::string text;
  for (std::size_t i = 0; i < paths.size() && i < 5; ++i) text += (i == 0 ? "" : ", ") + paths[i];
  if (paths.size() > 5) text += fmt::format(" and {} more", paths.size() - 5);
  return text;
}

bool operation_in_progress(const Survey& survey) {
  return survey.has(kOperationInProgress);
}

// A detached HEAD's commits belong to no branch; leaving them needs a reference first.
base::Result<void> keep_detached_commits(Workshop& workshop, const Situation& situation) {
  const auto head = read_head(workshop.scene.git_folder);
  const auto history = History::open(workshop.scene.git_folder);
  if (!head || !head->id || !history) return {};
  const RefTable table = read_refs(workshop.scene.git_folder);
  for (const auto& [name, value] : table.refs) {
    const auto commit = value.id ? history->peel_to_commit(*value.id) : std::nullopt;
    if (commit && history->is_ancestor(situation.head, *commit)) return {};
  }
  const auto rescued = workshop.rescue_commit(situation.head, "detached", "commits of a detached HEAD");
  if (!rescued) return base::fail(rescued.error());
  return {};
}

base::Result<void> act(Workshop& workshop, const Request& request, const Situation& situation, UpdateDecision decision,
                       UpdateReport& report) {
  if (decision == UpdateDecision::kStay) {
    workshop.warn("A merge or rebase of yours is not finished: the checkout stays as it is.");
    return {};
  }
  Move move;
  move.from = situation.head;
  move.branch = situation.branch;
  move.to = decision == UpdateDecision::kGoToLocalBranch ? *situation.local : situation.upstream.commit;
  if (decision == UpdateDecision::kGoToLocalBranch) {
    workshop.warn(fmt::format("{} has local commits: it stays at {} and upstream is at {}.",
                              short_name(situation.branch), hex_of(*situation.local).substr(0, 12),
                              hex_of(situation.upstream.commit).substr(0, 12)));
  }
  const auto head = read_head(workshop.scene.git_folder);
  const bool on_branch = head && head->symbolic == situation.branch && !situation.branch.empty();
  const bool in_place = git_oid_equal(&move.from, &move.to) != 0 && (on_branch || situation.branch.empty());
  if (in_place) return {};
  if (decision == UpdateDecision::kRescueThenUpstream) {
    const auto rescued = workshop.rescue_commit(*situation.local, "commits-of-" + short_name(situation.branch),
                                                "commits of " + short_name(situation.branch));
    if (!rescued) return base::fail(rescued.error());
  }
  if (auto kept = keep_detached_commits(workshop, situation); !kept) return kept;
  Collisions collisions = Collisions::kRefuse;
  if (request.local_changes == LocalChanges::kSetAside) {
    const auto rescued = rescue_work_tree(workshop);
    if (!rescued) return base::fail(rescued.error());
    collisions = Collisions::kOverwrite;
  }
  const auto moved = move_work_tree(workshop, move, collisions);
  if (!moved) return base::fail(moved.error());
  if (!moved->impossible.empty()) {
    workshop.warn(fmt::format("No update to {}: {}. The checkout stays as it is.", hex_of(move.to).substr(0, 12),
                              moved->impossible));
    return {};
  }
  if (!moved->moved && !moved->out_of_hand.empty()) {
    workshop.warn(fmt::format(
        "The update to {} changes what git passes through a program (Git LFS or the like), which only git can do: {}. "
        "The checkout stays as it is until you `git pull` there.",
        hex_of(move.to).substr(0, 12), list_some(moved->out_of_hand)));
    return {};
  }
  if (!moved->moved) {
    workshop.warn(fmt::format("Local changes are in the way of the update to {}: {}. The checkout stays as it is.",
                              hex_of(move.to).substr(0, 12), list_some(moved->collisions)));
    return {};
  }
  report.moved = git_oid_equal(&move.from, &move.to) == 0;
  workshop.did(fmt::format("Updated from {} to {}.", hex_of(move.from).substr(0, 12), hex_of(move.to).substr(0, 12)));
  return {};
}

// Links where HEAD has folders: libgit2 would write through them, wherever they lead. They are in the rescue commit.
base::Result<void> take_links_out_of_the_way(const Workshop& workshop) {
  const auto head = head_commit(workshop.scene.git_folder);
  const auto history = History::open(workshop.scene.git_folder);
  const auto tree = head && history ? history->tree_of_commit(*head) : std::nullopt;
  const auto files = tree ? flatten(*history, *tree) : std::nullopt;
  if (!files) return {};
  for (const auto& [path, entry] : *files) {
    if (has_plain_parents(workshop.scene.work_tree, path)) continue;
    fs::path above = workshop.scene.work_tree;
    for (const fs::path& part : fs::path(path).parent_path()) {
      above /= part;
      if (kind_at(above) != Kind::kLink) continue;
      if (auto removed = remove_redundant(above); !removed) return removed;
      break;
    }
  }
  return {};
}

// Back to HEAD, but for files that git passes through a program: libgit2 cannot compare them, and would write the
// pointer of Git LFS over its contents.
int check_out_head(git_repository* repository, const fs::path& work_tree) {
  git_index* opened = nullptr;
  int code = git_repository_index(&opened, repository);
  const Index index(opened);
  if (code < 0) return code;
  Filters filters(repository);
  std::vector<char*> in_hand;
  const std::size_t count = git_index_entrycount(index.get());
  for (std::size_t i = 0; i < count; ++i) {
    const char* path = git_index_get_byindex(index.get(), i)->path;
    if (!is_out_of_hand(filters, work_tree, path)) in_hand.push_back(const_cast<char*>(path));
  }
  git_checkout_options options = GIT_CHECKOUT_OPTIONS_INIT;
  options.checkout_strategy = GIT_CHECKOUT_FORCE;
  if (in_hand.size() < count) {
    options.checkout_strategy |= GIT_CHECKOUT_DISABLE_PATHSPEC_MATCH;
    options.paths = {in_hand.data(), in_hand.size()};
  }
  return git_checkout_head(repository, &options);
}

// What differs from HEAD without being in anybody's way, when it was to be set aside.
base::Result<void> set_the_rest_aside(Workshop& workshop) {
  const auto rescued = rescue_work_tree(workshop);
  if (!rescued) return base::fail(rescued.error());
  if (!*rescued) return {};
  if (auto taken = take_links_out_of_the_way(workshop); !taken) return taken;
  auto repository = open_repository(workshop.scene.git_folder, workshop.scene.work_tree);
  if (!repository) return base::fail(repository.error());
  const int code = check_out_head(repository->get(), workshop.scene.work_tree);
  if (code < 0) return base::fail(library_error(code, "set local changes aside in", workshop.scene.work_tree));
  workshop.did(fmt::format("Set local changes aside in {}.", **rescued));
  return sync_file_system(workshop.scene.work_tree);
}

// Upstream has left a commit behind that it once was at: remembered, so that nobody takes it for a local one.
base::Result<void> remember_left_behind(Workshop& workshop, const History& history, const std::string& branch,
                                        const git_oid& now) {
  const RefTable table = read_refs(workshop.scene.git_folder);
  const std::string prefix = fetched_prefix(branch);
  const auto before = table.resolve("refs/remotes/origin/" + branch);
  if (before && !history.is_ancestor(*before, now)) {
    const std::string name = prefix + hex_of(*before).substr(0, 12);
    if (auto written = workshop.write_ref(name, *before, "left behind by upstream"); !written) return written;
  }
  for (const auto& [name, value] : table.refs) {
    const bool covered = name.starts_with(prefix) && value.id && history.is_ancestor(*value.id, now);
    if (!covered) continue;
    if (auto dropped = workshop.forget_ref(name); !dropped) return dropped;
  }
  return {};
}

base::Result<void> note_tracking(Workshop& workshop, const Upstream& upstream) {
  if (upstream.form != Upstream::Form::kBranch) return {};
  const std::string name = "refs/remotes/origin/" + upstream.name;
  const auto known = read_refs(workshop.scene.git_folder).resolve(name);
  if (known && git_oid_equal(&*known, &upstream.commit) != 0) return {};
  return workshop.write_ref(name, upstream.commit, "fetched");
}

}  // namespace

std::uint64_t rescued_bytes(const fs::path& git_folder) {
  constexpr std::string_view kPrefix = "refs/podlaunch/rescue/";
  std::vector<git_oid> commits;
  for (const auto& [name, value] : read_refs(git_folder).refs) {
    if (name.starts_with(kPrefix) && value.id) commits.push_back(*value.id);
  }
  const auto history = commits.empty() ? base::fail(base::Error()) : History::open(git_folder);
  if (!history) return 0;
  std::uint64_t bytes = 0;
  IdSet counted;
  for (const git_oid& id : commits) {
    const auto parts = history->commit(id);
    const auto files = parts ? flatten(*history, parts->tree) : std::nullopt;
    const auto before = parts && !parts->parents.empty() ? history->tree_of_commit(parts->parents[0]) : std::nullopt;
    const auto known = before ? flatten(*history, *before) : std::nullopt;
    if (!files) continue;
    for (const auto& [path, entry] : *files) {
      const auto same = known ? known->find(path) : FlatTree::const_iterator();
      const bool is_known = known && same != known->end() && same->second == entry;
      if (is_known || !counted.insert(entry.id).second) continue;
      if (const auto blob = history->read(entry.id)) bytes += blob->bytes.size();
    }
  }
  return bytes;
}

// What a rescue of the work tree would add: the files that differ from HEAD, and those that nobody tracks.
static std::uint64_t bytes_to_rescue(git_repository* repository, const fs::path& work_tree) {
  git_status_options options = GIT_STATUS_OPTIONS_INIT;
  options.show = GIT_STATUS_SHOW_INDEX_AND_WORKDIR;
  options.flags = GIT_STATUS_OPT_INCLUDE_UNTRACKED | GIT_STATUS_OPT_RECURSE_UNTRACKED_DIRS;
  git_status_list* listed = nullptr;
  if (git_status_list_new(&listed, repository, &options) < 0) return 0;
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < git_status_list_entrycount(listed); ++i) {
    const git_status_entry* entry = git_status_byindex(listed, i);
    const git_diff_delta* delta = entry->index_to_workdir != nullptr ? entry->index_to_workdir : entry->head_to_index;
    const auto found = delta != nullptr ? stat_of(work_tree / delta->new_file.path) : std::nullopt;
    if (found && S_ISREG(found->st_mode)) bytes += static_cast<std::uint64_t>(found->st_size);
  }
  git_status_list_free(listed);
  return bytes;
}

namespace {

struct InHand {
  Filters filters;
  const fs::path& work_tree;
};

// For git_index_add_all: what is out of hand is written over by nothing, and so need not be rescued.
int leave_out_of_hand(const char* path, const char*, void* payload) {
  auto* in_hand = static_cast<InHand*>(payload);
  return is_out_of_hand(in_hand->filters, in_hand->work_tree, path) ? 1 : 0;
}

}  // namespace

base::Result<std::optional<std::string>> rescue_work_tree(Workshop& workshop) {
  auto repository = open_repository(workshop.scene.git_folder, workshop.scene.work_tree);
  if (!repository) return base::fail(repository.error());
  git_repository* handle = repository->get();
  const auto head = head_commit(workshop.scene.git_folder);
  git_commit* found = nullptr;
  if (!head || git_commit_lookup(&found, handle, &*head) < 0) return std::optional<std::string>();
  const Commit parent(found);
  if (auto room = workshop.folder.room_for(bytes_to_rescue(handle, workshop.scene.work_tree)); !room)
    return base::fail(room.error());
  // An index in memory only: the user's own keeps what is staged.
  git_index* opened = nullptr;
  int code = git_index_new(&opened);
  const Index index(opened);
  git_tree* root = nullptr;
  if (code == 0) code = git_commit_tree(&root, parent.get());
  const Tree tree(root);
  if (code == 0) code = git_index_read_tree(index.get(), tree.get());
  git_index* previous = nullptr;
  if (code == 0) code = git_repository_index(&previous, handle);
  const Index users(previous);
  if (code == 0) code = git_repository_set_index(handle, index.get());
  InHand in_hand{Filters(handle), workshop.scene.work_tree};
  if (code == 0) code = git_index_add_all(index.get(), nullptr, GIT_INDEX_ADD_DEFAULT, leave_out_of_hand, &in_hand);
  git_oid state;
  if (code == 0) code = git_index_write_tree_to(&state, index.get(), handle);
  if (code < 0) return base::fail(library_error(code, "rescue the local changes of", workshop.scene.work_tree));
  if (git_oid_equal(&state, git_tree_id(tree.get())) != 0) return std::optional<std::string>();
  git_tree* written = nullptr;
  code = git_tree_lookup(&written, handle, &state);
  const Tree contents(written);
  // Dated like its parent: the same state makes the same commit, and so the same reference, however often it is
  // rescued.
  const git_signature* when = git_commit_committer(parent.get());
  git_signature* made = nullptr;
  if (code == 0) code = git_signature_new(&made, "podlaunch", "podlaunch@localhost", when->when.time, 0);
  const Signature signature(made);
  const git_commit* parents[] = {parent.get()};
  git_oid id;
  if (code == 0) {
    code = git_commit_create(&id, handle, nullptr, signature.get(), signature.get(), nullptr,
                             "Local changes, set aside by podlaunch\n", contents.get(), 1, parents);
  }
  if (code < 0) return base::fail(library_error(code, "rescue the local changes of", workshop.scene.work_tree));
  const auto name = workshop.rescue_commit(id, "local-changes", "local changes and untracked files");
  if (!name) return base::fail(name.error());
  return std::optional<std::string>(*name);
}

namespace {

// Training can begin without an answer.
constexpr int kAttemptsMax = 4;

// Talks to the remote in a folder of its own, and brings home what came of it.
base::Result<Upstream> fetch_apart(Workshop& workshop) {
  const auto place = workshop.folder.fresh_staging_path("conversation");
  if (!place) return base::fail(place.error());
  const auto apart = ConversationFolder::make(*place, workshop.scene.git_folder);
  if (!apart) return base::fail(apart.error());
  RemoteSettings settings = workshop.remote;
  settings.attempts = std::min(settings.attempts, kAttemptsMax);
  auto fetched = fetch(apart->path(), settings, workshop.wants_full_fetch ? Fetch::kEverything : Fetch::kWhenNew);
  if (!fetched) return fetched;
  if (auto home = apart->bring_objects_home(); !home) return base::fail(home.error());
  const auto history = History::open(workshop.scene.git_folder);
  if (!history) return base::fail(history.error());
  constexpr std::string_view kBranches = "refs/remotes/origin/";
  for (const auto& [name, id] : apart->news()) {
    if (name.starts_with(kBranches)) {
      auto remembered = remember_left_behind(workshop, *history, name.substr(kBranches.size()), id);
      if (!remembered) return base::fail(remembered.error());
    }
    if (auto written = workshop.write_ref(name, id, "fetched"); !written) return base::fail(written.error());
  }
  (void)remove_redundant(*place);  // staging is cleared by the next call otherwise
  return fetched;
}

}  // namespace

base::Result<UpdateReport> update(Workshop& workshop, const Request& request, const Survey& survey) {
  UpdateReport report;
  const auto head = head_commit(workshop.scene.git_folder);
  if (!head) return report;
  Situation situation;
  situation.head = *head;
  const RefTable before = read_refs(workshop.scene.git_folder);
  const auto fetched = fetch_apart(workshop);
  if (!fetched) {
    if (fetched.error().code == base::ErrorCode::kNotFound) {
      report.upstream_reached = true;
      report.findings.push_back(make_finding(kBranchGoneUpstream, workshop.remote.ref, fetched.error().detail));
    }
    // No look has seen it, and a full one will; what even that does not find is no reason not to train.
    const bool looked_all_over = workshop.scene.depth == Depth::kFull;
    if (fetched.error().code == base::ErrorCode::kDamaged && !looked_all_over) return base::fail(fetched.error());
    workshop.warn(fmt::format("No update: {}", fetched.error().message()));
    return report;
  }
  report.upstream_reached = true;
  if (fetched->downloaded) {
    if (auto synced = sync_file_system(workshop.scene.git_folder); !synced) return base::fail(synced.error());
  }
  situation.upstream = *fetched;
  if (fetched->form == Upstream::Form::kBranch) {
    situation.branch = "refs/heads/" + fetched->name;
    situation.local = before.resolve(situation.branch);
    situation.remembered = before.resolve("refs/remotes/origin/" + fetched->name);
    if (auto noted = note_tracking(workshop, *fetched); !noted) return base::fail(noted.error());
  }
  const auto history = History::open(workshop.scene.git_folder);
  if (!history) return base::fail(history.error());
  situation.relation = relation_of(workshop, *history, situation);
  tell(workshop, situation, report);
  UpdateFacts facts;
  facts.relation = situation.relation;
  facts.operation_in_progress = operation_in_progress(survey);
  facts.local_changes = request.local_changes;
  if (auto acted = act(workshop, request, situation, decide_update(facts), report); !acted) {
    return base::fail(acted.error());
  }
  if (request.local_changes == LocalChanges::kSetAside) {
    if (auto set = set_the_rest_aside(workshop); !set) return base::fail(set.error());
  }
  return report;
}

}  // namespace checkout
