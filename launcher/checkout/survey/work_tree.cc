#include "launcher/checkout/survey/work_tree.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <git2.h>
#include <unistd.h>

#include <algorithm>

#include "base/text.h"
#include "base/unique_fd.h"
#include "launcher/checkout/git/files.h"
#include "launcher/checkout/git/filters.h"
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

bool is_attributes_file(const IndexEntry& entry) {
  return entry.path == ".gitattributes" || entry.path.ends_with("/.gitattributes");
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

// As git passes them through a program, these files' own bytes say nothing.
FileState judge_filtered(Filters::Verdict verdict, FileState seen) {
  if (verdict == Filters::Verdict::kFits) return FileState::kUnchanged;
  if (seen == FileState::kDamaged && verdict == Filters::Verdict::kUnknown) return FileState::kUnchanged;
  return seen == FileState::kChanged ? FileState::kChanged : FileState::kLost;
}

bool speaks_of_lfs(const fs::path& attributes) {
  return contents_of(attributes).value_or("").find("filter=lfs") != std::string::npos;
}

// What the index says of sizes is asked first: a pointer is small.
std::vector<std::string> find_pointers(const Scene& scene, const SharedLook& look) {
  constexpr std::uint32_t kPointerBytesMax = 1024;
  std::vector<std::string> pointers;
  bool any = speaks_of_lfs(scene.git_folder / "info" / "attributes");
  for (const IndexEntry& entry : look.index->entries) {
    any = any || (is_attributes_file(entry) && speaks_of_lfs(scene.work_tree / entry.path));
  }
  if (!any) return pointers;
  for (const IndexEntry& entry : look.index->entries) {
    if (entry.size == 0 || entry.size >= kPointerBytesMax || entry.skipped) continue;
    const auto contents = contents_of(scene.work_tree / entry.path);
    if (contents && parse_lfs_pointer(*contents)) pointers.push_back(entry.path);
  }
  return pointers;
}

FileState compare(const Scene& scene, int work_tree, const IndexEntry& entry, const struct stat& index) {
  if (scene.deep() && !entry.is_link()) {
    const auto blob = open_blob(work_tree, entry.path.c_str());
    if (blob && same_id(blob->id, entry.id))
      return form_fits(entry, blob->found) ? FileState::kUnchanged : FileState::kChanged;
  }
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
  return std::any_of(look.index->entries.begin(), look.index->entries.end(), is_attributes_file);
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
  // End-of-line conversion and attributes are libgit2's business, and a repository handle belongs to one thread.
  Repository repository;
  std::optional<Filters> filters;
  for (std::size_t i = 0; i < states.size(); ++i) {
    if (states[i] == FileState::kUnchanged) continue;
    const IndexEntry& entry = index->entries[i];
    FileState seen = states[i];
    const bool is_sure = seen == FileState::kDeleted || (seen == FileState::kChanged && !may_filter);
    if (!is_sure && !repository) {
      repository = open_repository(scene.git_folder, scene.work_tree).value_or(nullptr);
      if (repository) filters.emplace(repository.get());
    }
    if (!is_sure && repository) {
      const fs::path path = scene.work_tree / entry.path;
      const auto found = stat_of(path);
      const bool fits = found && form_fits(entry, *found);
      if (fits && seen != FileState::kZeroed && filtered_hash_fits(repository.get(), entry)) continue;
      if (fits && filters->apply_to(entry.path)) seen = judge_filtered(filters->compare(path, entry.id), seen);
    }
    if (seen != FileState::kUnchanged) state.files.push_back({entry.path, seen});
  }
  state.pointers = find_pointers(scene, *look);
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
      case FileState::kLost:
        findings.push_back(make_finding(
            kFilteredFileLost, file.path,
            fmt::format("Its contents are lost, and git passes them through a program (Git LFS or the like). Move it "
                        "away, then: git checkout -- {}",
                        file.path)));
        break;
      case FileState::kDeleted:
        ++deleted;
        break;
      default:
        ++changed;
    }
  }
  if (!state.pointers.empty()) {
    findings.push_back(make_finding(kLfsPointers, state.pointers.front(),
                                    fmt::format("{} of Git LFS: `git lfs pull` brings the contents.",
                                                base::counted(state.pointers.size(), "pointer"))));
  }
  if (changed + deleted == 0 && !state.staged_changes) return;
  findings.push_back(make_finding(kLocalChanges, ".",
                                  fmt::format("{} changed, {} deleted{}.", base::counted(changed, "file"), deleted,
                                              state.staged_changes ? ", some staged" : "")));
}

}  // namespace checkout
