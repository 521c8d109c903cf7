// The steps, and what a kill or a power cut leaves after each:
//
//   1. compare every file that differs between the two commits with both; anything that is neither is a local change,
//      and the move is refused before it began;
//   2. write the new files into staging and sync them          -> staging is thrown away at the next start;
//   3. note the move in .git/podlaunch/update                  -> the next start makes it again, from step 1;
//   4. rename the files into place, remove the dropped ones    -> each file is old or new, never torn;
//   5. sync, then the index, then the branch, then HEAD        -> as before: all of it can be done twice;
//   6. remove the note.
//
// A file that is new already counts as moved, so that making the move again is the same as going on with it.
#include "launcher/checkout/move.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <git2.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <sstream>

#include "base/unique_fd.h"
#include "launcher/checkout/git/filters.h"
#include "launcher/checkout/git/index_file.h"
#include "launcher/checkout/git/object_files.h"
#include "launcher/checkout/treatment/treatment.h"

namespace checkout {
namespace {

struct Change {
  std::string path;
  std::optional<FlatEntry> before;
  std::optional<FlatEntry> after;
  fs::path staged;    // the new contents
  bool keep = false;  // a local change that stays as it is
};

bool is_link_mode(std::uint32_t mode) {
  return mode == 0120000;
}
bool is_submodule_mode(std::uint32_t mode) {
  return mode == 0160000;
}

std::vector<Change> changes_between(const FlatTree& before, const FlatTree& after) {
  std::vector<Change> changes;
  for (const auto& [path, entry] : before) {
    const auto found = after.find(path);
    if (found == after.end()) {
      changes.push_back({path, entry, std::nullopt, {}, false});
    } else if (!(found->second == entry)) {
      changes.push_back({path, entry, found->second, {}, false});
    }
  }
  for (const auto& [path, entry] : after) {
    if (!before.contains(path)) changes.push_back({path, std::nullopt, entry, {}, false});
  }
  return changes;
}

class Mover {
 public:
  Mover(Workshop& workshop, const Move& move) : workshop_(workshop), move_(move) {}

  base::Result<MoveResult> run(Collisions collisions) {
    if (auto opened = open(); !opened) return base::fail(opened.error());
    if (auto planned = plan(); !planned) return base::fail(planned.error());
    MoveResult result;
    result.impossible = find_impossible_name();
    if (!result.impossible.empty()) return result;
    if (collisions != Collisions::kSkip) result.out_of_hand = find_out_of_hand();
    if (!result.out_of_hand.empty()) return result;
    if (collisions != Collisions::kOverwrite) result.collisions = find_collisions();
    if (!result.collisions.empty() && collisions == Collisions::kRefuse) return result;
    for (const auto& step : {&Mover::stage, &Mover::note, &Mover::place, &Mover::update_index, &Mover::move_references,
                             &Mover::forget_note}) {
      if (auto done = (this->*step)(); !done) return base::fail(done.error());
    }
    result.moved = true;
    return result;
  }

 private:
  fs::path note_path() const { return workshop_.in_git("podlaunch/update"); }

  base::Result<void> open() {
    auto repository = open_repository(workshop_.scene.git_folder, workshop_.scene.work_tree);
    if (!repository) return base::fail(repository.error());
    repository_ = std::move(*repository);
    git_index* opened = nullptr;
    const int code = git_repository_index(&opened, repository_.get());
    index_.reset(opened);
    if (code < 0) return base::fail(library_error(code, "open the index", workshop_.in_git("index")));
    return {};
  }

  base::Result<void> plan() {
    const auto history = History::open(workshop_.scene.git_folder);
    if (!history) return base::fail(history.error());
    const auto flat = [&](const git_oid& commit) {
      const auto tree = history->tree_of_commit(commit);
      return tree ? flatten(*history, *tree) : std::nullopt;
    };
    const auto before = flat(move_.from);
    const auto after = flat(move_.to);
    if (!before || !after) {
      base::Error error;
      error.code = base::ErrorCode::kDamaged;
      error.operation = "read the files of";
      error.path = hex_of(before ? move_.to : move_.from);
      error.detail = "a tree of it is missing";
      return base::fail(error);
    }
    changes_ = changes_between(*before, *after);
    return {};
  }

  // Asked before anything is touched: half of an update would be neither commit.
  std::string find_impossible_name() const {
    const long longest = ::pathconf(workshop_.scene.work_tree.c_str(), _PC_NAME_MAX);
    for (const Change& change : changes_) {
      if (!is_safe_path(change.path)) {
        return fmt::format("{} leads out of the work tree or into .git. Do not trust that repository; correct it there",
                           change.path);
      }
      if (!change.after || longest <= 0) continue;
      for (const fs::path& part : fs::path(change.path)) {
        if (part.native().size() <= static_cast<std::size_t>(longest)) continue;
        return fmt::format("no name may be longer than {} bytes here, and this one is: {}. Shorten it upstream",
                           longest, change.path);
      }
    }
    return {};
  }

  bool file_is(const std::string& path, const std::optional<FlatEntry>& entry) {
    const fs::path full = workshop_.scene.work_tree / path;
    const auto found = stat_of(full);
    if (!entry) return !found;
    if (is_submodule_mode(entry->mode)) return !found || S_ISDIR(found->st_mode);
    if (!found || S_ISLNK(found->st_mode) != is_link_mode(entry->mode)) return false;
    if (!S_ISREG(found->st_mode) && !S_ISLNK(found->st_mode)) return false;
    const auto raw = raw_blob_id(full);
    if (raw && git_oid_equal(&*raw, &entry->id) != 0) return true;
    git_oid filtered;
    return git_repository_hashfile(&filtered, repository_.get(), path.c_str(), GIT_OBJECT_BLOB, path.c_str()) == 0 &&
           git_oid_equal(&filtered, &entry->id) != 0;
  }

  bool index_is(const std::string& path, const std::optional<FlatEntry>& entry) const {
    const git_index_entry* found = git_index_get_bypath(index_.get(), path.c_str(), 0);
    if (found == nullptr || !entry) return found == nullptr && !entry;
    return found->mode == entry->mode && git_oid_equal(&found->id, &entry->id) != 0;
  }

  // A folder where a file is to come may hold nothing of the user's.
  bool folder_becomes_free(const std::string& path) {
    const fs::path full = workshop_.scene.work_tree / path;
    if (!is_folder(full)) return false;
    std::error_code error;
    for (fs::recursive_directory_iterator entry(full, error), end; !error && entry != end; entry.increment(error)) {
      if (is_folder(entry->path())) continue;
      const std::string inside = entry->path().lexically_relative(workshop_.scene.work_tree).string();
      const auto change =
          std::find_if(changes_.begin(), changes_.end(), [&](const Change& c) { return c.path == inside; });
      if (change == changes_.end() || change->after || !file_is(inside, change->before)) return false;
    }
    return !error;
  }

  bool parents_become_free(const Change& change) {
    fs::path above;
    const fs::path relative(change.path);
    for (auto part = relative.begin(); std::next(part) != relative.end(); ++part) {
      above /= *part;
      const Kind kind = kind_at(workshop_.scene.work_tree / above);
      if (kind == Kind::kNothing) return true;
      if (kind == Kind::kFolder) continue;
      const auto dropped =
          std::find_if(changes_.begin(), changes_.end(), [&](const Change& c) { return c.path == above.string(); });
      return dropped != changes_.end() && !dropped->after && file_is(dropped->path, dropped->before);
    }
    return true;
  }

  std::vector<std::string> find_out_of_hand() {
    Filters filters(repository_.get());
    std::vector<std::string> paths;
    for (const Change& change : changes_) {
      if (file_is(change.path, change.before) || file_is(change.path, change.after)) continue;
      if (is_out_of_hand(filters, workshop_.scene.work_tree, change.path)) paths.push_back(change.path);
    }
    return paths;
  }

  std::vector<std::string> find_collisions() {
    std::vector<std::string> collisions;
    for (Change& change : changes_) {
      const bool index_fits = index_is(change.path, change.before) || index_is(change.path, change.after);
      const bool plain = has_plain_parents(workshop_.scene.work_tree, change.path);
      bool fits = plain ? file_is(change.path, change.before) || file_is(change.path, change.after)
                        : !change.after || parents_become_free(change);
      if (!fits && change.after && !change.before) fits = folder_becomes_free(change.path);
      if (fits && index_fits) continue;
      change.keep = true;
      collisions.push_back(change.path);
    }
    return collisions;
  }

  base::Result<void> stage() {
    const auto folder = workshop_.folder.fresh_staging_path("update");
    if (!folder) return base::fail(folder.error());
    if (auto made = make_folders(*folder); !made) return made;
    int number = 0;
    for (Change& change : changes_) {
      if (change.keep || !change.after || is_submodule_mode(change.after->mode)) continue;
      if (file_is(change.path, change.after) && !(change.before && change.before->mode != change.after->mode)) continue;
      change.staged = *folder / std::to_string(++number);
      if (auto written = write_staged(change); !written) return written;
    }
    return sync_file_system(*folder);
  }

  base::Result<void> write_staged(const Change& change) {
    git_blob* found = nullptr;
    int code = git_blob_lookup(&found, repository_.get(), &change.after->id);
    if (code < 0) return base::fail(library_error(code, "read", change.path));
    const Blob blob(found);
    if (is_link_mode(change.after->mode)) {
      const std::string target(static_cast<const char*>(git_blob_rawcontent(blob.get())),
                               static_cast<std::size_t>(git_blob_rawsize(blob.get())));
      if (::symlink(target.c_str(), change.staged.c_str()) == 0) return {};
      return base::fail(base::system_error(errno, "write", change.path));
    }
    git_blob_filter_options options = GIT_BLOB_FILTER_OPTIONS_INIT;
    git_buf contents = GIT_BUF_INIT;
    code = git_blob_filter(&contents, blob.get(), change.path.c_str(), &options);
    if (code < 0) return base::fail(library_error(code, "read", change.path));
    const mode_t mode = (change.after->mode & 0111) != 0 ? 0777 : 0666;
    base::UniqueFd fd(::open(change.staged.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
    std::string_view left(contents.ptr, contents.size);
    while (fd.valid() && !left.empty()) {
      const ssize_t written = ::write(fd.get(), left.data(), left.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) break;
      left.remove_prefix(static_cast<std::size_t>(written));
    }
    const int saved = errno;
    git_buf_dispose(&contents);
    if (!fd.valid() || !left.empty()) return base::fail(base::system_error(saved, "write", change.path));
    return {};
  }

  base::Result<void> note() {
    const std::string contents =
        fmt::format("from {}\nto {}\nbranch {}\n", hex_of(move_.from), hex_of(move_.to), move_.branch);
    return workshop_.folder.write_durably(note_path(), contents);
  }

  // Removes a file that the new commit does not have, and the folders that it leaves empty.
  base::Result<void> drop(const std::string& path) {
    if (!has_plain_parents(workshop_.scene.work_tree, path)) return {};
    fs::path full = workshop_.scene.work_tree / path;
    if (::unlink(full.c_str()) != 0 && errno != ENOENT && errno != EISDIR) {
      return base::fail(base::system_error(errno, "remove", full));
    }
    for (full = full.parent_path(); full != workshop_.scene.work_tree; full = full.parent_path()) {
      if (::rmdir(full.c_str()) != 0) break;
    }
    return {};
  }

  base::Result<void> place() {
    for (const Change& change : changes_) {
      if (change.keep || change.after) continue;
      if (auto dropped = drop(change.path); !dropped) return dropped;
    }
    for (const Change& change : changes_) {
      if (change.keep || change.staged.empty()) continue;
      const fs::path full = workshop_.scene.work_tree / change.path;
      // Only where the caller has rescued them can there still be things in the way.
      for (fs::path above = full.parent_path(); above != workshop_.scene.work_tree; above = above.parent_path()) {
        if (is_folder(above) || is_nothing(above)) continue;
        if (auto away = workshop_.put_away(above, "in the way of the update"); !away) return away;
      }
      if (is_folder(full)) {
        if (auto away = workshop_.put_away(full, "in the way of the update"); !away) return away;
      }
      if (auto made = make_folders(full.parent_path()); !made) return made;
      if (::rename(change.staged.c_str(), full.c_str()) != 0) {
        return base::fail(base::system_error(errno, "update", full));
      }
    }
    return sync_file_system(workshop_.scene.work_tree);
  }

  // git looks at whole seconds. An edit in the second in which the old index was written shows for as long as the index
  // is no newer than that; in the new one the file is given a size of 0, which makes git read it.
  int keep_edits_visible() {
    const auto old = stat_of(workshop_.in_git("index"));
    std::vector<git_index_entry> hidden;
    for (std::size_t i = 0; old && i < git_index_entrycount(index_.get()); ++i) {
      const git_index_entry* entry = git_index_get_byindex(index_.get(), i);
      if (entry->mtime.seconds < old->st_mtim.tv_sec) continue;
      const auto file = stat_of(workshop_.scene.work_tree / entry->path);
      const bool same_second = file && file->st_mtim.tv_sec == entry->mtime.seconds;
      if (same_second && file->st_mtim.tv_nsec != static_cast<long>(entry->mtime.nanoseconds)) hidden.push_back(*entry);
    }
    int code = 0;
    for (git_index_entry& entry : hidden) {
      entry.file_size = 0;
      if (code == 0) code = git_index_add(index_.get(), &entry);
    }
    return code;
  }

  base::Result<void> update_index() {
    int code = 0;
    for (const Change& change : changes_) {
      if (change.keep) continue;
      if (!change.after) {
        (void)git_index_remove(index_.get(), change.path.c_str(), 0);  // gone already is as good
        continue;
      }
      git_index_entry entry{};
      entry.path = change.path.c_str();
      entry.id = change.after->id;
      entry.mode = change.after->mode;
      if (const auto found = stat_of(workshop_.scene.work_tree / change.path)) {
        entry.ctime = {static_cast<std::int32_t>(found->st_ctim.tv_sec),
                       static_cast<std::uint32_t>(found->st_ctim.tv_nsec)};
        entry.mtime = {static_cast<std::int32_t>(found->st_mtim.tv_sec),
                       static_cast<std::uint32_t>(found->st_mtim.tv_nsec)};
        entry.dev = static_cast<std::uint32_t>(found->st_dev);
        entry.ino = static_cast<std::uint32_t>(found->st_ino);
        entry.uid = found->st_uid;
        entry.gid = found->st_gid;
        entry.file_size = static_cast<std::uint32_t>(found->st_size);
      }
      if (code == 0) code = git_index_add(index_.get(), &entry);
    }
    if (code == 0) code = keep_edits_visible();
    git_oid tree;
    // Makes the index remember its trees; with conflicts in it there are none to remember.
    if (code == 0 && git_index_has_conflicts(index_.get()) == 0) (void)git_index_write_tree(&tree, index_.get());
    if (code == 0) code = git_index_write(index_.get());
    if (code < 0) return base::fail(library_error(code, "write the index", workshop_.in_git("index")));
    return sync_index(workshop_.scene.git_folder);
  }

  base::Result<void> move_references() {
    int code = 0;
    if (move_.branch.empty()) {
      code = git_repository_set_head_detached(repository_.get(), &move_.to);
    } else {
      git_reference* made = nullptr;
      const std::string message = "podlaunch: update to " + hex_of(move_.to);
      code = git_reference_create(&made, repository_.get(), move_.branch.c_str(), &move_.to, 1, message.c_str());
      const Reference reference(made);
      const auto head = read_head(workshop_.scene.git_folder);
      if (code == 0 && (!head || head->symbolic != move_.branch)) {
        code = git_repository_set_head(repository_.get(), move_.branch.c_str());
      }
    }
    if (code < 0) return base::fail(library_error(code, "move to", hex_of(move_.to)));
    return sync_folder(workshop_.scene.git_folder);
  }

  base::Result<void> forget_note() {
    if (auto removed = remove_redundant(note_path()); !removed) return removed;
    return sync_folder(note_path().parent_path());
  }

  Workshop& workshop_;
  const Move& move_;
  Repository repository_;
  Index index_;
  std::vector<Change> changes_;
};

}  // namespace

// As other systems read it, too: whoever mounts this disk there shall not find a .git that we have written.
static bool names_git_folder(std::string part) {
  std::transform(part.begin(), part.end(), part.begin(), [](unsigned char c) { return std::tolower(c); });
  part = part.substr(0, part.find(':'));
  while (part.ends_with(' ') || part.ends_with('.')) part.pop_back();
  return part == ".git" || part == "git~1";
}

bool is_safe_path(const std::string& path) {
  if (path.empty() || path.front() == '/' || path.find('\0') != std::string::npos) return false;
  std::stringstream parts(path);
  for (std::string part; std::getline(parts, part, '/');) {
    if (part.empty() || part == "." || part == ".." || names_git_folder(part)) return false;
  }
  return true;
}

bool has_plain_parents(const fs::path& work_tree, const std::string& path) {
  fs::path above = work_tree;
  const fs::path relative(path);
  for (auto part = relative.begin(); std::next(part) != relative.end(); ++part) {
    above /= *part;
    const Kind kind = kind_at(above);
    if (kind == Kind::kNothing) return true;
    if (kind != Kind::kFolder) return false;
  }
  return true;
}

base::Result<MoveResult> move_work_tree(Workshop& workshop, const Move& move, Collisions collisions) {
  return Mover(workshop, move).run(collisions);
}

base::Result<int> restore_missing_files(Workshop& workshop) {
  auto repository = open_repository(workshop.scene.git_folder, workshop.scene.work_tree);
  if (!repository) return base::fail(repository.error());
  const auto index = read_index_file(workshop.in_git("index"));
  if (!index) return 0;
  std::vector<char*> names;
  std::vector<std::string> paths;
  for (const IndexEntry& entry : index->entries) {
    const bool within = is_safe_path(entry.path) && has_plain_parents(workshop.scene.work_tree, entry.path);
    if (entry.is_submodule() || !within) continue;
    if (is_nothing(workshop.scene.work_tree / entry.path)) paths.push_back(entry.path);
  }
  if (paths.empty()) return 0;
  for (std::string& path : paths) names.push_back(path.data());
  git_checkout_options options = GIT_CHECKOUT_OPTIONS_INIT;
  options.checkout_strategy = GIT_CHECKOUT_SAFE | GIT_CHECKOUT_RECREATE_MISSING | GIT_CHECKOUT_DISABLE_PATHSPEC_MATCH;
  options.paths = {names.data(), names.size()};
  const int code = git_checkout_index(repository->get(), nullptr, &options);
  if (code < 0) return base::fail(library_error(code, "restore missing files in", workshop.scene.work_tree));
  if (auto synced = sync_file_system(workshop.scene.work_tree); !synced) return base::fail(synced.error());
  return static_cast<int>(paths.size());
}

base::Result<bool> finish_interrupted_move(Workshop& workshop) {
  const fs::path mark = workshop.in_git("podlaunch/restore");
  if (!is_nothing(mark)) {
    const auto restored = restore_missing_files(workshop);
    if (!restored) return base::fail(restored.error());
    if (*restored > 0) workshop.did(fmt::format("Wrote {} tracked files that were missing.", *restored));
    if (auto removed = remove_redundant(mark); !removed) return base::fail(removed.error());
  }
  const fs::path path = workshop.in_git("podlaunch/update");
  if (is_nothing(path)) return false;
  std::stringstream lines(contents_of(path).value_or(std::string()));
  std::string from;
  std::string to;
  Move move{};
  for (std::string key; lines >> key;) {
    if (key == "from") lines >> from;
    if (key == "to") lines >> to;
    if (key == "branch") lines >> move.branch;
  }
  const auto from_id = id_of(from);
  const auto to_id = id_of(to);
  if (from_id && to_id && (move.branch.empty() || valid_ref_name(move.branch))) {
    move.from = *from_id;
    move.to = *to_id;
    // What is neither old nor new by now was changed after the kill; it stays.
    const auto moved = move_work_tree(workshop, move, Collisions::kSkip);
    // Unless all has been looked at, the objects may be mended yet, and the move finished then.
    const bool hopeless =
        !moved && moved.error().code == base::ErrorCode::kDamaged && workshop.scene.depth == Depth::kFull;
    if (!moved && !hopeless) return base::fail(moved.error());
    if (moved && moved->moved) workshop.did("Finished an update that was cut off.");
  }
  if (auto away = workshop.put_away(path, "an update that cannot be finished"); !away) return base::fail(away.error());
  return true;
}

}  // namespace checkout
