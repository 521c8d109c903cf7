// The index is rebuilt from HEAD: it repeats what HEAD and the files say, and local changes stay visible as changes.
#include <fcntl.h>
#include <git2.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/unique_fd.h"
#include "launcher/checkout/git/split_index.h"
#include "launcher/checkout/treatment/treatment.h"

namespace checkout {

base::Result<void> sync_index(const fs::path& git_folder) {
  const fs::path path = git_folder / "index";
  base::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return base::fail(base::system_error(errno, "open", path));
  if (::fsync(fd.get()) != 0) return base::fail(base::system_error(errno, "sync", path));
  return sync_folder(git_folder);
}

base::Result<void> build_index(const fs::path& git_folder, const fs::path& work_tree) {
  auto repository = open_repository(git_folder, work_tree);
  if (!repository) return base::fail(repository.error());
  const auto head = head_commit(git_folder);
  if (!head) return {};  // no commit, no index
  git_commit* found = nullptr;
  int code = git_commit_lookup(&found, repository->get(), &*head);
  const Commit commit(found);
  git_tree* root = nullptr;
  if (code == 0) code = git_commit_tree(&root, commit.get());
  const Tree tree(root);
  git_index* opened = nullptr;
  if (code == 0) code = git_repository_index(&opened, repository->get());
  const Index index(opened);
  if (code == 0) code = git_index_read_tree(index.get(), tree.get());
  if (code == 0) code = git_index_write(index.get());
  if (code < 0) return base::fail(library_error(code, "build the index", git_folder / "index"));
  // Comparing once with the files fills in their times, so that later looks need not read them.
  git_diff_options options = GIT_DIFF_OPTIONS_INIT;
  options.flags = GIT_DIFF_UPDATE_INDEX | GIT_DIFF_IGNORE_SUBMODULES;
  git_diff* compared = nullptr;
  (void)git_diff_index_to_workdir(&compared, repository->get(), index.get(), &options);  // only a matter of speed
  const Diff diff(compared);
  return sync_index(git_folder);
}

base::Result<void> make_index_whole(Workshop& workshop) {
  const fs::path path = workshop.in_git("index");
  const auto index = read_index_file(path);
  if (!index || !index->shared) return {};
  // Its entries are all in the new one; git itself drops the other file in time.
  if (index->remembers_resolutions) {
    if (auto kept = workshop.keep_copy(path, "a split index, with resolutions of conflicts"); !kept) return kept;
  }
  const auto staged = workshop.folder.fresh_staging_path("whole-index");
  if (!staged) return base::fail(staged.error());
  if (auto written = workshop.folder.write_durably(*staged, format_index(index->entries)); !written) return written;
  // The index's own time says which files may have changed unseen since it looked at them.
  const auto before = stat_of(path);
  const timespec times[] = {{0, UTIME_NOW}, before ? before->st_mtim : timespec{0, UTIME_NOW}};
  if (::utimensat(AT_FDCWD, staged->c_str(), times, 0) != 0)
    return base::fail(base::system_error(errno, "set the time of", *staged));
  if (auto renamed = rename_durably(*staged, path); !renamed) return renamed;
  workshop.did("Wrote the split index as one file, since libgit2 cannot read it otherwise.");
  return {};
}

base::Result<bool> treat_index(Workshop& workshop) {
  const fs::path path = workshop.in_git("index");
  if (auto moved = workshop.put_away(path, "damaged"); !moved) return base::fail(moved.error());
  if (auto built = build_index(workshop.scene.git_folder, workshop.scene.work_tree); !built) {
    return base::fail(built.error());
  }
  workshop.did("Built the index from HEAD again.");
  return true;
}

}  // namespace checkout
