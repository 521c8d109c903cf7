// Replacing a checkout takes several renames, and a kill may come between any two:
//
//   staging/…            being built; thrown away at the next start
//   ready/checkout       a finished, synced clone that waits for the path to become free
//   quarantine/N/checkout  the old one; quarantine/N/CARRY says that its files are still being carried back
//
// finish_interrupted_replacement() goes on from whatever it finds. A new .git takes the same way as ready/git; where
// the kernel can exchange two names at once, there is no moment without a .git.
#include "launcher/checkout/clone.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <git2.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "launcher/checkout/git/index_file.h"
#include "launcher/checkout/git/object_files.h"
#include "launcher/checkout/move.h"
#include "launcher/checkout/treatment/treatment.h"

namespace checkout {
namespace {

fs::path ready_checkout(const Workshop& workshop) {
  return workshop.folder.root() / "ready" / "checkout";
}
fs::path ready_git(const Workshop& workshop) {
  return workshop.folder.root() / "ready" / "git";
}

base::Error step_error(int code, const std::string& step, const fs::path& path) {
  base::Error error = library_error(code, step, path);
  if (error.detail.find("invalid path") != std::string::npos) {
    error.code = base::ErrorCode::kUnsupported;
    error.remedy = "The repository has a file name that leads out of the work tree or into .git. Do not trust it.";
  }
  return error;
}

// A repository with the remote set up and everything fetched; no branch and no files yet.
base::Result<Upstream> make_repository(Workshop& workshop, const fs::path& work_tree) {
  if (workshop.remote.url.empty()) {
    return base::fail(base::invalid_input("there is no repository address for " + workshop.scene.work_tree.string(),
                                          "Name one with --repo and --ref."));
  }
  git_repository_init_options options = GIT_REPOSITORY_INIT_OPTIONS_INIT;
  options.flags = GIT_REPOSITORY_INIT_MKPATH;
  git_repository* made = nullptr;
  int code = git_repository_init_ext(&made, work_tree.c_str(), &options);
  const Repository repository(made);
  git_remote* remote = nullptr;
  if (code == 0) code = git_remote_create(&remote, repository.get(), "origin", workshop.remote.url.c_str());
  const Remote owned(remote);
  if (code < 0) return base::fail(step_error(code, "make a repository in", work_tree));
  return fetch(work_tree / ".git", workshop.remote, Fetch::kEverything);
}

// The branch (or detached HEAD) that was asked for, as git clone -b sets it up.
base::Result<void> set_up_head(git_repository* repository, const Upstream& upstream, const git_oid& at) {
  int code = 0;
  if (!upstream.default_branch.empty()) {
    git_reference* made = nullptr;
    const std::string target = "refs/remotes/origin/" + upstream.default_branch;
    (void)git_reference_symbolic_create(&made, repository, "refs/remotes/origin/HEAD", target.c_str(), 1, "clone");
    git_reference_free(made);  // only a convenience for people
  }
  if (upstream.form == Upstream::Form::kBranch) {
    git_reference* made = nullptr;
    const std::string name = "refs/heads/" + upstream.name;
    code = git_reference_create(&made, repository, name.c_str(), &at, 1, "clone: podlaunch");
    const Reference branch(made);
    if (code == 0) code = git_branch_set_upstream(branch.get(), ("origin/" + upstream.name).c_str());
    if (code == 0) code = git_repository_set_head(repository, name.c_str());
  } else {
    code = git_repository_set_head_detached(repository, &at);
  }
  if (code < 0) return base::fail(step_error(code, "set HEAD of", git_repository_path(repository)));
  return {};
}

base::Result<Upstream> clone_into(Workshop& workshop, const fs::path& work_tree) {
  auto upstream = make_repository(workshop, work_tree);
  if (!upstream) return upstream;
  auto repository = open_repository(work_tree / ".git", work_tree);
  if (!repository) return base::fail(repository.error());
  if (auto set = set_up_head(repository->get(), *upstream, upstream->commit); !set) return base::fail(set.error());
  git_checkout_options options = GIT_CHECKOUT_OPTIONS_INIT;
  options.checkout_strategy = GIT_CHECKOUT_FORCE;
  const int code = git_checkout_head(repository->get(), &options);
  if (code < 0) return base::fail(step_error(code, "check out into", work_tree));
  if (auto synced = sync_file_system(work_tree); !synced) return base::fail(synced.error());
  return upstream;
}

// Files of the old checkout that the new one does not have; its .git is not a file of the user's. Moved, not copied:
// checkpoints may be larger than the free space. A file that the new one has otherwise stays in quarantine.
base::Result<int> carry_back(Workshop& workshop, const fs::path& old) {
  int carried = 0;
  std::vector<fs::path> folders = {"."};
  while (!folders.empty()) {
    const fs::path folder = folders.back();
    folders.pop_back();
    std::error_code error;
    std::vector<fs::path> names;
    for (fs::directory_iterator entry(old / folder, error), end; !error && entry != end; entry.increment(error)) {
      names.push_back(entry->path().filename());
    }
    for (const fs::path& name : names) {
      if (folder == "." && name == ".git") continue;
      const fs::path from = old / folder / name;
      const fs::path to = workshop.scene.work_tree / folder / name;
      if (is_nothing(to)) {
        if (::rename(from.c_str(), to.c_str()) != 0) {
          return base::fail(base::system_error(errno, "carry back", to));
        }
        ++carried;
      } else if (is_folder(from) && is_folder(to)) {
        folders.push_back(folder / name);
      }
    }
  }
  return carried;
}

base::Result<void> finish_carrying(Workshop& workshop, const fs::path& quarantine_case) {
  const auto carried = carry_back(workshop, quarantine_case / "checkout");
  if (!carried) return base::fail(carried.error());
  if (auto synced = sync_file_system(workshop.scene.work_tree); !synced) return synced;
  if (auto removed = remove_redundant(quarantine_case / "CARRY"); !removed) return removed;
  if (*carried > 0) workshop.did(fmt::format("Carried {} files and folders of the old checkout back in.", *carried));
  workshop.rescued.push_back({"the old checkout", (quarantine_case / "checkout").string()});
  return sync_folder(quarantine_case);
}

base::Result<void> put_ready_checkout_in_place(Workshop& workshop, std::string_view why) {
  const fs::path& path = workshop.scene.work_tree;
  std::optional<fs::path> old;
  std::error_code error;
  if (is_folder(path) && fs::is_empty(path, error) && !error) {
    if (::rmdir(path.c_str()) != 0) return base::fail(base::system_error(errno, "make room at", path));
  } else if (!is_nothing(path)) {
    const auto marker = workshop.folder.start_case();
    if (!marker) return base::fail(marker.error());
    if (auto noted = workshop.folder.write_durably(*marker / "CARRY", path.string() + "\n"); !noted) return noted;
    // The user's own files are carried back; what stays is the old .git.
    const auto moved = workshop.folder.move_to_quarantine(path, "checkout", why, bytes_under(path / ".git"));
    if (!moved) return base::fail(moved.error());
    old = *marker;
    workshop.did(fmt::format("Moved the old checkout to {}.", moved->string()));
  }
  if (auto placed = rename_durably(ready_checkout(workshop), path); !placed) return placed;
  if (old && is_folder(*old / "checkout")) return finish_carrying(workshop, *old);
  if (old) return remove_redundant(*old / "CARRY");
  return {};
}

// How many files of a commit lie in the work tree with the same contents, and how many with any.
struct Fit {
  int same = 0;
  int present = 0;
};

class WorkTreeHashes {
 public:
  WorkTreeHashes(git_repository* repository, fs::path work_tree)
      : repository_(repository), root_(std::move(work_tree)) {}

  // nullopt: not there.
  std::optional<git_oid> of(const std::string& path) {
    const auto known = hashes_.find(path);
    if (known != hashes_.end()) return known->second;
    std::optional<git_oid> id;
    git_oid filtered;
    if (const auto raw = raw_blob_id(root_ / path)) {
      const bool hashed =
          git_repository_hashfile(&filtered, repository_, path.c_str(), GIT_OBJECT_BLOB, path.c_str()) == 0;
      id = is_file(root_ / path) && hashed ? filtered : *raw;
    }
    hashes_[path] = id;
    return id;
  }

 private:
  git_repository* repository_;
  fs::path root_;
  std::map<std::string, std::optional<git_oid>> hashes_;
};

Fit fit_of(WorkTreeHashes& hashes, const FlatTree& tree) {
  Fit fit;
  for (const auto& [path, entry] : tree) {
    const auto id = hashes.of(path);
    if (!id) continue;
    ++fit.present;
    if (git_oid_equal(&*id, &entry.id) != 0) ++fit.same;
  }
  return fit;
}

struct Best {
  git_oid commit;
  Fit fit;
};

// The commit of upstream's history whose files are most like the work tree's; the newest among equals.
std::optional<Best> best_commit(const fs::path& git_folder, const fs::path& work_tree, const git_oid& tip) {
  const auto history = History::open(git_folder);
  auto repository = open_repository(git_folder, work_tree);
  if (!history || !repository) return std::nullopt;
  WorkTreeHashes hashes(repository->get(), work_tree);
  constexpr std::size_t kLookBack = 300;
  std::optional<Best> best;
  int best_score = -1;
  for (const git_oid& id : history->commits_from(tip, kLookBack)) {
    const auto tree = history->tree_of_commit(id);
    const auto flat = tree ? flatten(*history, *tree) : std::nullopt;
    if (!flat) continue;
    const Fit fit = fit_of(hashes, *flat);
    // A file that the commit does not have speaks against it as much as one that differs.
    const int score = fit.same * 2 - static_cast<int>(flat->size());
    if (!best || score > best_score) {
      best = Best{id, fit};
      best_score = score;
    }
  }
  return best;
}

// Brings along what can be read of the old .git: objects, references, logs, and the user's settings.
base::Result<void> import_old(Workshop& workshop, const fs::path& fresh) {
  const fs::path& old = workshop.scene.git_folder;
  if (!is_folder(old)) return {};
  std::error_code error;
  for (const LooseFile& file : loose_files(old)) {
    if (!file.id || !loose_object_is_sound(file.path, *file.id)) continue;
    const fs::path to = fresh / file.path.lexically_relative(old);
    if (!is_nothing(to)) continue;
    if (auto made = make_folders(to.parent_path()); !made) return made;
    fs::copy_file(file.path, to, error);
    if (error) return base::fail(base::system_error(error.value(), "copy", file.path));
  }
  for (const PackFiles& pack : packs_of(old)) {
    if (!pack.has_pack || !pack.has_index || !checksum_matches(pack.pack) || !checksum_matches(pack.index)) continue;
    for (const fs::path& file : {pack.pack, pack.index}) {
      const fs::path to = fresh / file.lexically_relative(old);
      if (is_nothing(to)) fs::copy_file(file, to, error);
      if (error) return base::fail(base::system_error(error.value(), "copy", file));
    }
  }
  const auto history = History::open(fresh);
  if (!history) return base::fail(history.error());
  for (const auto& [name, value] : read_refs(old).refs) {
    if (!value.id || name.starts_with("refs/remotes/")) continue;
    Closure closure(*history);
    if (!closure.add(*value.id, name)) continue;
    if (auto written = workshop.folder.write_durably(fresh / name, hex_of(*value.id) + "\n"); !written) return written;
    const auto log = contents_of(old / "logs" / name);
    if (log) {
      if (auto copied = workshop.folder.write_durably(fresh / "logs" / name, *log); !copied) return copied;
    }
  }
  return {};
}

base::Result<void> put_ready_git_in_place(Workshop& workshop) {
  const fs::path dot_git = workshop.scene.work_tree / ".git";
  const fs::path ready = ready_git(workshop);
  if (!is_nothing(dot_git)) {
    // Exchanged in one step where the file system can.
    if (::syscall(SYS_renameat2, AT_FDCWD, ready.c_str(), AT_FDCWD, dot_git.c_str(), RENAME_EXCHANGE) == 0) {
      if (auto synced = sync_folder(workshop.scene.work_tree); !synced) return synced;
      const auto moved = workshop.folder.move_to_quarantine(ready, ".git", "replaced by a new one");
      if (!moved) return base::fail(moved.error());
      workshop.rescued.push_back({"the old .git", moved->string()});
      return {};
    }
    const auto moved = workshop.folder.move_to_quarantine(dot_git, ".git", "replaced by a new one");
    if (!moved) return base::fail(moved.error());
    workshop.rescued.push_back({"the old .git", moved->string()});
  }
  return rename_durably(ready, dot_git);
}

}  // namespace

base::Result<Upstream> clone_in_place(Workshop& workshop, std::string_view why) {
  const auto staged = workshop.folder.fresh_staging_path("clone");
  if (!staged) return base::fail(staged.error());
  if (auto made = make_folders(workshop.scene.work_tree.parent_path()); !made) return base::fail(made.error());
  auto upstream = clone_into(workshop, *staged);
  if (!upstream) return upstream;
  const fs::path ready = ready_checkout(workshop);
  if (auto made = make_folders(ready.parent_path()); !made) return base::fail(made.error());
  if (auto cleared = remove_redundant(ready); !cleared) return base::fail(cleared.error());
  if (auto moved = rename_durably(*staged, ready); !moved) return base::fail(moved.error());
  if (auto placed = put_ready_checkout_in_place(workshop, why); !placed) return base::fail(placed.error());
  workshop.did(fmt::format("Cloned {} at {}.", upstream->name, hex_of(upstream->commit).substr(0, 12)));
  return upstream;
}

base::Result<bool> adopt_work_tree(Workshop& workshop) {
  const auto staged = workshop.folder.fresh_staging_path("adopt");
  if (!staged) return base::fail(staged.error());
  const auto upstream = make_repository(workshop, *staged);
  if (!upstream) return base::fail(upstream.error());
  const fs::path fresh = *staged / ".git";
  const auto best = best_commit(fresh, workshop.scene.work_tree, upstream->commit);
  if (!best || best->fit.same == 0 || best->fit.same * 2 < best->fit.present) return false;
  auto repository = open_repository(fresh, workshop.scene.work_tree);
  if (!repository) return base::fail(repository.error());
  if (auto set = set_up_head(repository->get(), *upstream, best->commit); !set) return base::fail(set.error());
  if (auto imported = import_old(workshop, fresh); !imported) return base::fail(imported.error());
  if (auto built = build_index(fresh, workshop.scene.work_tree); !built) return base::fail(built.error());
  // Until this mark is gone, missing files are still to be written.
  if (auto marked = workshop.folder.write_durably(fresh / "podlaunch" / "restore", ""); !marked) {
    return base::fail(marked.error());
  }
  if (auto synced = sync_file_system(fresh); !synced) return base::fail(synced.error());

  const fs::path ready = ready_git(workshop);
  if (auto made = make_folders(ready.parent_path()); !made) return base::fail(made.error());
  if (auto cleared = remove_redundant(ready); !cleared) return base::fail(cleared.error());
  if (auto moved = rename_durably(fresh, ready); !moved) return base::fail(moved.error());
  if (auto placed = put_ready_git_in_place(workshop); !placed) return base::fail(placed.error());
  workshop.scene.git_folder = workshop.scene.work_tree / ".git";
  workshop.references_were_lost = true;
  if (auto rescued = rescue_unreachable(workshop); !rescued) return base::fail(rescued.error());
  workshop.did(fmt::format("Built a new .git around the work tree, at {}: {} of its files are unchanged.",
                           hex_of(best->commit).substr(0, 12), best->fit.same));
  const auto finished = finish_interrupted_move(workshop);
  if (!finished) return base::fail(finished.error());
  return true;
}

base::Result<void> finish_interrupted_replacement(Workshop& workshop) {
  const fs::path& path = workshop.scene.work_tree;
  if (is_nothing(path) && is_folder(ready_checkout(workshop))) {
    if (auto placed = put_ready_checkout_in_place(workshop, "replaced"); !placed) return placed;
    workshop.did("Put a clone in place that an interrupted boot had made ready.");
  }
  if (is_folder(path) && is_nothing(path / ".git") && is_folder(ready_git(workshop))) {
    if (auto placed = rename_durably(ready_git(workshop), path / ".git"); !placed) return placed;
    workshop.did("Put a .git in place that an interrupted boot had made ready.");
  }
  // Exchanged, and killed before the old one was put away.
  if (is_folder(ready_git(workshop))) {
    const auto moved = workshop.folder.move_to_quarantine(ready_git(workshop), ".git", "left by an interrupted repair");
    if (!moved) return base::fail(moved.error());
  }
  if (is_folder(ready_checkout(workshop))) {
    if (auto removed = remove_redundant(ready_checkout(workshop)); !removed) return removed;
  }
  std::error_code error;
  for (fs::directory_iterator entry(workshop.folder.quarantine(), error), end; !error && entry != end;
       entry.increment(error)) {
    if (!is_file(entry->path() / "CARRY") || is_nothing(path)) continue;
    if (is_folder(entry->path() / "checkout")) {
      if (auto carried = finish_carrying(workshop, entry->path()); !carried) return carried;
    } else if (auto removed = remove_redundant(entry->path() / "CARRY"); !removed) {
      return removed;
    }
  }
  return {};
}

}  // namespace checkout
