#include "launcher/checkout/survey/work_tree.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <git2.h>
#include <unistd.h>

#include <algorithm>

#include "base/unique_fd.h"
#include "launcher/checkout/git/files.h"
#include "launcher/checkout/objects/parallel.h"
#include "launcher/checkout/survey/shared_look.h"

// After a power cut a file may have its right size and times and nothing but zero bytes in it. Git, which looks at
// sizes and times, believes it unchanged, and so does a hard reset. Only a hash of the contents tells.

namespace checkout {
namespace {

using enum FindingKind;

bool times_fit(const IndexEntry& entry, const struct stat& found) {
  return entry.modified_seconds == static_cast<std::uint32_t>(found.st_mtim.tv_sec) &&
         (entry.modified_nanoseconds == 0 || found.st_mtim.tv_nsec == 0 ||
          entry.modified_nanoseconds == static_cast<std::uint32_t>(found.st_mtim.tv_nsec)) &&
         entry.size == static_cast<std::uint32_t>(found.st_size);
}

// Nobody wrote to the file since the index was made. The time of the inode's last change and its number are not asked:
// a checkout that was copied to another disk has new ones.
bool looks_unwritten(const IndexEntry& entry, const struct stat& found, const struct stat& index) {
  return times_fit(entry, found) && found.st_mtim.tv_sec < index.st_mtim.tv_sec;
}

bool form_fits(const IndexEntry& entry, const struct stat& found) {
  if (entry.is_link()) return S_ISLNK(found.st_mode);
  return S_ISREG(found.st_mode) && entry.is_executable() == ((found.st_mode & S_IXUSR) != 0);
}

bool is_zeroed(const fs::path& path, const struct stat& found) {
  if (!S_ISREG(found.st_mode) || found.st_size == 0) return false;
  const auto contents = contents_of(path);
  return contents && only_zero_bytes(*contents);
}

// The hash of the file as git would store it, end-of-line conversion included.
bool filtered_hash_fits(git_repository* repository, const IndexEntry& entry) {
  git_oid id;
  return repository != nullptr &&
         git_repository_hashfile(&id, repository, entry.path.c_str(), GIT_OBJECT_BLOB, entry.path.c_str()) == 0 &&
         git_oid_equal(&id, &entry.id) != 0;
}

FileState compare(const Scene& scene, int work_tree, const IndexEntry& entry, const struct stat& index) {
  std::optional<struct stat> found(std::in_place);
  if (::fstatat(work_tree, entry.path.c_str(), &*found, AT_SYMLINK_NOFOLLOW) != 0) return FileState::kDeleted;
  if (!scene.deep() && form_fits(entry, *found) && times_fit(entry, *found)) return FileState::kUnchanged;
  const auto id = raw_blob_id(work_tree, entry.path.c_str(), *found);
  const bool contents_fit = id && git_oid_equal(&*id, &entry.id) != 0;
  if (contents_fit) return form_fits(entry, *found) ? FileState::kUnchanged : FileState::kChanged;
  if (is_zeroed(scene.work_tree / entry.path, *found)) return FileState::kZeroed;
  return looks_unwritten(entry, *found, index) ? FileState::kDamaged : FileState::kChanged;
}

// Without these, a file's hash is that of its bytes as they are. (What the user's own settings elsewhere say of line
// ends is asked before a file is called damaged.)
bool may_filter_files(const Scene& scene, const SharedLook& look) {
  if (!look.config || look.config->value("core.autocrlf") || look.config->value("core.eol")) return true;
  if (is_file(scene.git_folder / "info" / "attributes")) return true;
  return std::any_of(look.index->entries.begin(), look.index->entries.end(),
                     [](const IndexEntry& entry) { return entry.path.ends_with(".gitattributes"); });
}

bool index_differs_from_head(const SharedLook& look) {
  const IndexFile& index = *look.index;
  if (!look.head || !look.history) return !index.entries.empty();
  const auto tree = look.history->tree_of_commit(*look.head);
  if (!tree) return true;
  if (index.tree && same_id(*index.tree, *tree)) return false;
  const auto flat = flatten(*look.history, *tree);
  if (!flat || flat->size() != index.entries.size()) return true;
  return !std::all_of(index.entries.begin(), index.entries.end(), [&](const IndexEntry& entry) {
    const auto found = flat->find(entry.path);
    return found != flat->end() && found->second == FlatEntry{entry.mode, entry.id};
  });
}

}  // namespace

bool WorkTreeState::has_local_changes() const {
  return staged_changes || !files.empty();
}

WorkTreeState compare_work_tree(const Scene& scene) {
  WorkTreeState state;
  const auto look = look_at(scene);
  const auto& index = look->index;
  const base::UniqueFd work_tree(::open(scene.work_tree.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!index || !look->index_stat || !look->index_is_whole || !work_tree.valid()) {
    state.readable = false;
    return state;
  }
  std::vector<FileState> states(index->entries.size(), FileState::kUnchanged);
  in_parallel(index->entries.size(), [&](std::size_t i) {
    const IndexEntry& entry = index->entries[i];
    if (!entry.is_submodule() && !entry.skipped) states[i] = compare(scene, work_tree.get(), entry, *look->index_stat);
  });
  const bool may_filter = may_filter_files(scene, *look);
  // End-of-line conversion is libgit2's business, and a repository handle belongs to one thread.
  Repository repository;
  for (std::size_t i = 0; i < states.size(); ++i) {
    if (states[i] == FileState::kUnchanged) continue;
    const IndexEntry& entry = index->entries[i];
    if (states[i] == FileState::kDamaged || (may_filter && states[i] == FileState::kChanged)) {
      if (!repository) repository = open_repository(scene.git_folder, scene.work_tree).value_or(nullptr);
      const auto found = stat_of(scene.work_tree / entry.path);
      if (found && form_fits(entry, *found) && filtered_hash_fits(repository.get(), entry)) continue;
    }
    state.files.push_back({entry.path, states[i]});
  }
  state.staged_changes = index_differs_from_head(*look);
  return state;
}

void survey_work_tree(const Scene& scene, Findings& findings) {
  const WorkTreeState state = compare_work_tree(scene);
  int changed = 0;
  int deleted = 0;
  for (const WorkTreeState::File& file : state.files) {
    switch (file.state) {
      case FileState::kZeroed:
        findings.push_back(make_finding(kFileZeroed, file.path, "It holds zero bytes only."));
        break;
      case FileState::kDamaged:
        findings.push_back(make_finding(kFileDamaged, file.path, "Its contents differ, and its size and times do not.",
                                        Confidence::kLikely));
        break;
      case FileState::kDeleted:
        ++deleted;
        break;
      default:
        ++changed;
    }
  }
  if (changed + deleted == 0 && !state.staged_changes) return;
  findings.push_back(make_finding(
      kLocalChanges, ".",
      fmt::format("{} files changed, {} deleted{}.", changed, deleted, state.staged_changes ? ", some staged" : "")));
}

}  // namespace checkout
