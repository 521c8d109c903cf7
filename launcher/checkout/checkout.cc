// The boot's view of a checkout: check the request, finish what was cut off, survey, treat, update, tell.
//
// The ladder's rungs: treatments in place (treatment/ladder.cc), then a new .git around the same work tree, then a
// fresh clone with the old checkout in quarantine. Each is tried only when the one before left something untreated.
#include "launcher/checkout/checkout.h"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <algorithm>

#include "base/text.h"
#include "launcher/checkout/clone.h"
#include "launcher/checkout/git/conversation_folder.h"
#include "launcher/checkout/move.h"
#include "launcher/checkout/request_check.h"
#include "launcher/checkout/submodules.h"
#include "launcher/checkout/survey/shared_look.h"
#include "launcher/checkout/survey/work_tree.h"
#include "launcher/checkout/treatment/treatment.h"
#include "launcher/checkout/update.h"
#include "launcher/checkout/update_decision.h"

namespace checkout {
namespace {

using enum FindingKind;

// Treated by the update, which knows what upstream is.
bool is_update_s(FindingKind kind) {
  return kind == kRemoteDiffers || kind == kUpdateInterrupted;
}

bool needs_treatment(const Survey& survey) {
  return std::any_of(survey.findings.begin(), survey.findings.end(),
                     [](const Finding& f) { return !f.treatment.empty() && !is_update_s(f.kind); });
}

// Signs that more may be wrong than a quick look can see.
bool calls_for_deep(const Survey& survey) {
  return std::any_of(survey.findings.begin(), survey.findings.end(), [](const Finding& finding) {
    return !finding.treatment.empty() && !is_update_s(finding.kind) && finding.kind != kStaleLock &&
           finding.kind != kLeftoverFile && finding.kind != kRemoteMissing;
  });
}

const Finding* first_of(const Survey& survey, std::initializer_list<FindingKind> kinds) {
  for (const Finding& finding : survey.findings) {
    if (std::find(kinds.begin(), kinds.end(), finding.kind) != kinds.end()) return &finding;
  }
  return nullptr;
}

RemoteSettings remote_of(const Request& request) {
  RemoteSettings remote;
  remote.url = request.url;
  remote.ref = request.ref;
  remote.transport = request.history_depth > 0 ? Transport::kGit : request.transport;
  remote.history_depth = request.history_depth;
  remote.credentials = request.credentials;
  remote.stall_limit = request.network_stall_limit;
  remote.attempts = request.network_attempts;
  remote.say = request.say;
  return remote;
}

class BringUp {
 public:
  BringUp(const Request& request, bool with_update)
      : request_(request),
        with_update_(with_update),
        workshop_(scene_for(request),
                  request.private_folder.empty() ? private_folder_of(request.path) : request.private_folder,
                  remote_of(request)) {}

  base::Result<Outcome> run() {
    outcome_.path = request_.path;
    if (request_.quarantine_bytes_max > 0)
      workshop_.folder.limit(request_.quarantine_bytes_max, rescued_bytes(workshop_.scene.git_folder));
    if (auto prepared = prepare(); !prepared) return base::fail(prepared.error());
    look();
    if (auto ready = make_usable(); !ready) return base::fail(ready.error());
    auto moved = move_on();
    // A quick look reads no files' contents, and a deep one believes a pack whose checksum is right: what is in the way
    // of an update is looked for, and mended, only now.
    if (!moved && moved.error().code == base::ErrorCode::kDamaged && workshop_.scene.depth != Depth::kFull &&
        can_write_) {
      workshop_.scene.depth = Depth::kFull;
      look();
      if (auto ready = make_usable(); !ready) return base::fail(ready.error());
      moved = move_on();
    }
    if (!moved) return base::fail(moved.error());
    if (outcome_.cloned || outcome_.updated) {
      if (auto cleared = remove_left_locks(); !cleared) return base::fail(cleared.error());
    }
    if (with_update_ && can_write_) bring_in_submodules(workshop_, request_);
    // Where there may be new ones; a quick boot does not pay for it.
    if (can_write_ && (workshop_.scene.deep() || !workshop_.rescued.empty())) {
      if (auto dropped = drop_redundant_rescues(workshop_); !dropped) return base::fail(dropped.error());
    }
    return tell();
  }

 private:
  base::Result<void> move_on() {
    if (auto moved = finish_interrupted_move(workshop_); !moved) return base::fail(moved.error());
    return with_update_ && !outcome_.cloned ? bring_up_to_date() : base::Result<void>();
  }

  // libgit2 passes over a lock of its own that it could not remove. git would refuse to work here until the next boot.
  base::Result<void> remove_left_locks() {
    Findings locks;
    survey_locks(workshop_.scene, locks);
    for (const Finding& lock : locks) {
      if (lock.kind != kStaleLock) continue;
      if (auto removed = treat_git_folder(workshop_, lock); !removed) return base::fail(removed.error());
    }
    return {};
  }

  static Scene scene_for(const Request& request) {
    Scene scene = make_scene(request.path.lexically_normal());
    scene.depth = request.deep ? Depth::kDeep : Depth::kQuick;
    scene.lock_trust = request.lock_trust;
    scene.url = request.url;
    scene.remote_wanted = !request.url.empty();
    scene.known_sound = std::make_shared<KnownSound>();
    return scene;
  }

  base::Result<void> prepare() {
    struct statvfs system;
    can_write_ = ::statvfs(request_.path.parent_path().c_str(), &system) != 0 || (system.f_flag & ST_RDONLY) == 0;
    if (!can_write_) return {};
    if (auto prepared = workshop_.folder.prepare(); !prepared) return prepared;
    return finish_interrupted_replacement(workshop_);
  }

  void look() {
    workshop_.scene.git_folder = make_scene(workshop_.scene.work_tree).git_folder;
    survey_ = survey_scene(workshop_.scene);
    if (workshop_.scene.depth == Depth::kQuick && calls_for_deep(survey_)) {
      workshop_.scene.depth = Depth::kDeep;
      survey_ = survey_scene(workshop_.scene);
    }
    for (const Finding& finding : survey_.findings) {
      if (finding.kind != kLocalChanges && !finding.treatment.empty() && request_.say) {
        const std::string where = finding.where == "." ? std::string() : finding.where + " ";
        request_.say(fmt::format("Found {}: {}{}", name(finding.kind), where, finding.what));
      }
    }
    outcome_.findings = survey_.findings;
  }

  // Afterwards there is a checkout that training can use, or there is an error that says why not.
  base::Result<void> make_usable() {
    if (const Finding* held = first_of(survey_, {kHeldLock})) return base::fail(busy(*held));
    if (const Finding* other = first_of(survey_, {kBareRepository, kLinkedWorkTree})) {
      return base::fail(base::invalid_input(request_.path.string() + ": " + other->what,
                                            "Name a checkout of its own; `git clone` makes one."));
    }
    if (!can_write_) return use_read_only();
    if (first_of(survey_, {kUnsupportedExtension, kWorktreeExtension})) return use_unsupported();
    if (const Finding* other = first_of(survey_, {kCheckoutIsLink, kCheckoutIsSpecial})) {
      return base::fail(base::invalid_input(other->what, "Name the folder itself."));
    }
    if (first_of(survey_, {kCheckoutOutOfReach})) return base::fail(look_at_path(request_.path).error());
    if (const Finding* absent = first_of(survey_, {kCheckoutMissing, kCheckoutEmpty, kCheckoutIsFile})) {
      return clone(absent->what);
    }
    if (first_of(survey_, {kNotARepository, kGitFolderUnusable, kGitFolderIsFileOrLink})) return adopt_or_clone();
    if (auto same = check_project(); !same) return same;
    const bool will_change = (with_update_ && may_update(request_)) || needs_treatment(survey_);
    if (will_change && first_of(survey_, {kSplitIndex})) {
      if (auto whole = make_index_whole(workshop_); !whole) return whole;
    }
    if (!needs_treatment(survey_)) return {};
    return treat();
  }

  base::Error busy(const Finding& held) const {
    base::Error error;
    error.code = base::ErrorCode::kBusy;
    error.operation = "work in";
    error.path = request_.path;
    error.detail = fmt::format("{}: {}", held.where, held.what);
    error.remedy = "Let it finish, or end it.";
    return error;
  }

  base::Result<void> use_read_only() {
    if (head_is_whole()) {
      workshop_.warn("The file system is read-only: the checkout is used as it is.");
      with_update_ = false;
      return {};
    }
    base::Error error;
    error.code = base::ErrorCode::kNotPermitted;
    error.operation = "prepare";
    error.path = request_.path;
    error.system_errno = EROFS;
    error.detail = "the file system is read-only and there is no whole checkout on it";
    error.remedy = "Mount it writable.";
    return base::fail(error);
  }

  base::Result<void> use_unsupported() {
    const Finding* finding = first_of(survey_, {kUnsupportedExtension, kWorktreeExtension});
    with_update_ = false;
    if (head_is_whole()) {
      workshop_.warn(fmt::format("{} The checkout is used as it is, without update or repair.", finding->what));
      return {};
    }
    base::Error error;
    error.code = base::ErrorCode::kUnsupported;
    error.operation = "repair";
    error.path = request_.path;
    error.detail = finding->what;
    error.remedy = "Repair it with the git program, or remove that extension.";
    return base::fail(error);
  }

  bool head_is_whole() const {
    const auto head = head_commit(workshop_.scene.git_folder);
    const auto history = History::open(workshop_.scene.git_folder);
    const auto tree = head && history ? history->tree_of_commit(*head) : std::nullopt;
    return tree && Closure(*history).add_tree(*tree, "HEAD");
  }

  base::Result<void> clone(const std::string& why) {
    const auto upstream = clone_in_place(workshop_, why);
    if (!upstream) return base::fail(upstream.error());
    outcome_.cloned = true;
    outcome_.upstream_reached = true;
    workshop_.scene.git_folder = workshop_.scene.work_tree / ".git";
    return {};
  }

  base::Result<void> adopt_or_clone() {
    const auto adopted = adopt_work_tree(workshop_);
    if (!adopted) return base::fail(adopted.error());
    if (!*adopted) return clone("not a work tree of this project");
    repaired_ = true;
    return {};
  }

  // The remote in .git/config is another one. When it is the same project under another address, only the address
  // changes; otherwise the checkout is somebody else's and makes room.
  base::Result<void> check_project() {
    if (!first_of(survey_, {kRemoteDiffers})) return {};
    const auto grafted = graft(workshop_);
    if (!grafted) return base::fail(grafted.error());
    if (!*grafted) return base::fail(*workshop_.remote_error);
    if (!shares_history()) {
      outcome_.findings.push_back(
          make_finding(kForeignRepository, ".", "It has no commit in common with the remote that was asked for."));
      return clone("a checkout of another project");
    }
    return set_address();
  }

  bool shares_history() const {
    const auto history = History::open(workshop_.scene.git_folder);
    if (!history) return false;
    IdSet upstream;
    for (const auto& [name, value] : workshop_.upstream_refs->refs) {
      if (!value.id || upstream.contains(*value.id)) continue;
      for (const git_oid& id : history->commits_from(*value.id, 100000)) upstream.insert(id);
    }
    for (const auto& [name, value] : read_refs(workshop_.scene.git_folder).refs) {
      if (!value.id) continue;
      for (const git_oid& id : history->commits_from(*value.id, 100000)) {
        if (upstream.contains(id)) return true;
      }
    }
    return false;
  }

  base::Result<void> set_address() {
    if (auto kept = workshop_.keep_copy(workshop_.in_git("config"), "another address was asked for"); !kept)
      return kept;
    auto repository = open_repository(workshop_.scene.git_folder, workshop_.scene.work_tree);
    if (!repository) return base::fail(repository.error());
    const int code = git_remote_set_url(repository->get(), "origin", request_.url.c_str());
    if (code < 0) return base::fail(library_error(code, "set the remote's address in", workshop_.in_git("config")));
    workshop_.did(fmt::format("Set the remote's address to {}.", request_.url));
    survey_ = survey_scene(workshop_.scene);
    return {};
  }

  base::Result<void> treat() {
    auto last = climb_ladder(workshop_, survey_);
    if (!last) return base::fail(last.error());
    survey_ = std::move(*last);
    repaired_ = true;
    if (!needs_treatment(survey_)) return {};
    if (workshop_.remote_error) return use_without_remote();
    return escalate();
  }

  base::Result<void> use_without_remote() {
    if (head_is_whole() && !first_of(survey_, {kIndexDamaged, kIndexMissing, kHeadDamaged})) {
      workshop_.warn("Not everything could be repaired without the remote; what HEAD needs is whole, so it is used.");
      return {};
    }
    base::Error error;
    error.code = base::ErrorCode::kDamaged;
    error.operation = "repair";
    error.path = request_.path;
    const Finding* worst = nullptr;
    for (const Finding& finding : survey_.findings) {
      if (!finding.treatment.empty() && worst == nullptr) worst = &finding;
    }
    error.detail = fmt::format("{} {} The remote is needed, and: {}", worst->where, worst->what,
                               workshop_.remote_error->message());
    error.remedy = "Nothing was lost; it goes on when the remote answers.";
    return base::fail(error);
  }

  base::Result<void> escalate() {
    for (const Finding& finding : survey_.findings) {
      if (!finding.treatment.empty())
        workshop_.warn(fmt::format("Still {}: {} {}", name(finding.kind), finding.where, finding.what));
    }
    const auto adopted = adopt_work_tree(workshop_);
    if (!adopted) return base::fail(adopted.error());
    if (*adopted) {
      auto last = climb_ladder(workshop_, survey_scene(workshop_.scene));
      if (!last) return base::fail(last.error());
      survey_ = std::move(*last);
      if (!needs_treatment(survey_)) return {};
    }
    return clone("it could not be repaired");
  }

  base::Result<void> bring_up_to_date() {
    if (!may_update(request_)) return {};
    survey_ = survey_scene(workshop_.scene);
    const auto report = update(workshop_, request_, survey_);
    if (!report) return base::fail(report.error());
    outcome_.upstream_reached = report->upstream_reached;
    outcome_.updated = report->moved;
    outcome_.findings.insert(outcome_.findings.end(), report->findings.begin(), report->findings.end());
    return {};
  }

  base::Result<Outcome> tell() {
    const fs::path& git_folder = workshop_.scene.git_folder;
    const auto head = head_commit(git_folder);
    if (!head) {
      base::Error error;
      error.code = base::ErrorCode::kDamaged;
      error.operation = "read HEAD of";
      error.path = request_.path;
      error.detail = "it has no commit";
      error.remedy = "Make sure that the remote can be reached.";
      return base::fail(error);
    }
    outcome_.commit = hex_of(*head);
    const auto value = read_head(git_folder);
    if (value && !value->symbolic.empty()) outcome_.branch = short_name(value->symbolic);
    count_against_upstream(*head);
    Scene quick = workshop_.scene;
    quick.depth = Depth::kQuick;
    const WorkTreeState files = compare_work_tree(quick);
    outcome_.local_changes = files.has_local_changes();
    if (!files.pointers.empty()) {
      workshop_.warn(fmt::format("{} of Git LFS, {} first: `git lfs pull` brings the contents.",
                                 base::counted(files.pointers.size(), "pointer"), files.pointers.front()));
    }
    outcome_.repaired = repaired_;
    outcome_.surveyed_deep = workshop_.scene.deep();
    outcome_.done = workshop_.done;
    outcome_.rescued = workshop_.rescued;
    outcome_.warnings = workshop_.warnings;
    if (const auto place = workshop_.folder.quarantine_case(); place && !outcome_.cloned) {
      outcome_.rescued.push_back({"what the repair replaced", place->string()});
    }
    if (can_write_) (void)remove_redundant(workshop_.folder.staging());  // the next call does it otherwise
    return outcome_;
  }

  void count_against_upstream(const git_oid& head) {
    const std::string name = outcome_.branch.empty() ? request_.ref : outcome_.branch;
    const auto upstream = read_refs(workshop_.scene.git_folder).resolve("refs/remotes/origin/" + name);
    const auto history = History::open(workshop_.scene.git_folder);
    if (!upstream || !history || git_oid_equal(&*upstream, &head) != 0) return;
    outcome_.ahead = history->count_beyond(head, *upstream);
    outcome_.behind = history->count_beyond(*upstream, head);
  }

  const Request& request_;
  bool with_update_;
  bool can_write_ = true;
  bool repaired_ = false;
  Workshop workshop_;
  Survey survey_;
  Outcome outcome_;
};

// What the repository itself says about its remote and branch.
void fill_in(Request& request) {
  const Scene scene = make_scene(request.path);
  if (request.url.empty()) {
    git_config* opened = nullptr;
    git_buf url = GIT_BUF_INIT;
    if (git_config_open_ondisk(&opened, (scene.git_folder / "config").c_str()) == 0) {
      const Config config(opened);
      if (git_config_get_string_buf(&url, config.get(), "remote.origin.url") == 0) request.url = url.ptr;
    }
    git_buf_dispose(&url);
  }
  const auto head = read_head(scene.git_folder);
  if (request.ref.empty() && head && !head->symbolic.empty()) request.ref = short_name(head->symbolic);
}

}  // namespace

fs::path private_folder_of(const fs::path& checkout) {
  const fs::path plain = checkout.lexically_normal();
  return plain.parent_path() / ".podlaunch" / plain.filename();
}

base::Result<Outcome> bring_up(const Request& request) {
  start_library();
  if (auto checked = check_request(request); !checked) return base::fail(checked.error());
  return BringUp(request, true).run();
}

base::Result<std::string> ask_upstream(const Request& request) {
  start_library();
  std::string place = (fs::temp_directory_path() / "podlaunch-ask-XXXXXX").string();
  if (::mkdtemp(place.data()) == nullptr) return base::fail(base::system_error(errno, "make a folder in", place));
  auto made = make_empty_git_folder(place);
  auto upstream = made ? fetch(place, remote_of(request), Fetch::kNothing) : base::fail(made.error());
  (void)remove_redundant(place);  // in /tmp, and ours
  if (!upstream) return base::fail(upstream.error());
  return hex_of(upstream->commit);
}

base::Result<Survey> survey(const fs::path& path, Depth depth, LockTrust lock_trust) {
  Scene scene = make_scene(fs::absolute(path).lexically_normal());
  scene.depth = depth;
  scene.lock_trust = lock_trust;
  return survey_scene(scene);
}

base::Result<Outcome> repair(Request request) {
  start_library();
  request.path = fs::absolute(request.path).lexically_normal();
  request.deep = true;
  if (auto place = check_place(request.path); !place) return base::fail(place.error());
  fill_in(request);
  if (kind_at(request.path) == Kind::kNothing && request.url.empty()) {
    return base::fail(base::invalid_input("there is nothing at " + request.path.string(), "Name a checkout."));
  }
  return BringUp(request, false).run();
}

}  // namespace checkout
