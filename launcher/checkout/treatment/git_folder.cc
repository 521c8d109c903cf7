// Treatments of the .git folder's own parts: permissions, locks, things in the way, caches, config.
#include <fmt/format.h>
#include <git2.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "launcher/checkout/treatment/treatment.h"

namespace checkout {
namespace {

using enum FindingKind;

base::Result<bool> give_access(Workshop& workshop, const fs::path& path) {
  const auto found = stat_of(path);
  if (!found) return false;
  const mode_t more = S_ISDIR(found->st_mode) ? S_IRWXU : S_IRUSR | (found->st_mode & S_IWUSR);
  // Objects and packs are read-only on purpose; whatever else git keeps it must also be able to write.
  const bool object = path.string().find("/objects/") != std::string::npos;
  const mode_t mode = (found->st_mode & 07777) | more | (S_ISDIR(found->st_mode) || object ? 0 : S_IWUSR);
  if (mode == (found->st_mode & 07777)) return false;
  if (::chmod(path.c_str(), mode) != 0) {
    return base::fail(base::system_error(errno, "give access to", path, "Run as the owner, or change the mode."));
  }
  workshop.did(fmt::format("Gave the owner access to {}.", where_of(workshop.scene, path)));
  return true;
}

base::Result<bool> away(Workshop& workshop, const fs::path& path, const std::string& why, const std::string& sentence) {
  if (auto moved = workshop.put_away(path, why); !moved) return base::fail(moved.error());
  workshop.did(sentence);
  return true;
}

base::Result<bool> make_folder(Workshop& workshop, const fs::path& path, const std::vector<std::string>& inside) {
  if (auto moved = workshop.put_away(path, "it was in a folder's place"); !moved) return base::fail(moved.error());
  for (const std::string& name : inside) {
    if (auto made = make_folders(path / name); !made) return base::fail(made.error());
  }
  if (auto synced = sync_folder(path.parent_path()); !synced) return base::fail(synced.error());
  workshop.did(fmt::format("Made {} again.", where_of(workshop.scene, path)));
  return true;
}

// The commits whose parents are not here are where the history is cut off.
base::Result<bool> treat_shallow(Workshop& workshop) {
  const fs::path path = workshop.in_git("shallow");
  if (auto kept = workshop.keep_copy(path, "damaged"); !kept) return base::fail(kept.error());
  if (auto removed = remove_redundant(path); !removed) return base::fail(removed.error());
  const auto history = History::open(workshop.scene.git_folder);
  if (!history) return base::fail(history.error());
  IdSet cut;
  const RefTable table = read_refs(workshop.scene.git_folder);
  for (const auto& [name, value] : table.refs) {
    const auto tip = table.resolve(name);
    const auto commit = tip ? history->peel_to_commit(*tip) : std::nullopt;
    if (!commit) continue;
    for (const git_oid& id : history->commits_from(*commit, 1000000)) {
      const auto parts = history->commit(id);
      for (const git_oid& parent : parts->parents) {
        if (!history->has(parent)) cut.insert(id);
      }
    }
  }
  std::string contents;
  for (const git_oid& id : cut) contents += hex_of(id) + "\n";
  if (!contents.empty()) {
    if (auto written = workshop.folder.write_durably(path, contents); !written) return base::fail(written.error());
  }
  workshop.did("Wrote the list of commits where the history is cut off again.");
  return true;
}

base::Result<bool> treat_grafts(Workshop& workshop, const fs::path& path) {
  const std::string contents = contents_of(path).value_or(std::string());
  const auto history = History::open(workshop.scene.git_folder);
  if (!history) return base::fail(history.error());
  std::string sound;
  for (std::size_t start = 0; start < contents.size();) {
    const std::size_t end = std::min(contents.find('\n', start), contents.size() - 1) + 1;
    const std::string line = contents.substr(start, end - start);
    start = end;
    const Grafts grafts = parse_grafts(line);
    const bool here =
        std::all_of(grafts.ids.begin(), grafts.ids.end(), [&](const auto& id) { return history->has(id); });
    if (!grafts.damaged && here) sound += line;
  }
  if (auto kept = workshop.keep_copy(path, "damaged"); !kept) return base::fail(kept.error());
  const auto done = sound.empty() ? remove_redundant(path) : workshop.folder.write_durably(path, sound);
  if (!done) return base::fail(done.error());
  workshop.did(fmt::format("Kept the sound lines of {}.", where_of(workshop.scene, path)));
  return true;
}

// Lines of folders that are there stay.
base::Result<bool> stop_borrowing(Workshop& workshop, const fs::path& path) {
  if (workshop.remote_error) return false;  // the folder may come back before the remote does
  std::string kept;
  std::error_code error;
  for (const fs::path& folder : alternates_of(workshop.scene.git_folder)) {
    if (fs::is_directory(folder, error)) kept += folder.string() + "\n";
  }
  const std::string sentence = "Stopped borrowing objects from a folder that is gone.";
  if (kept.empty()) return away(workshop, path, "it names a folder that is gone", sentence);
  if (auto copied = workshop.keep_copy(path, "it names a folder that is gone"); !copied)
    return base::fail(copied.error());
  if (auto written = workshop.folder.write_durably(path, kept); !written) return base::fail(written.error());
  workshop.did(sentence);
  return true;
}

// Ours to remove where git writes only what lies elsewhere, too. Of a folder of objects, or of references that were
// about to be packed, nobody knows that.
base::Result<bool> treat_leftover(Workshop& workshop, const Finding& finding) {
  const fs::path path = workshop.in_checkout(finding.where);
  if (is_folder(path) || path.filename() == "packed-refs.new") {
    return away(workshop, path, "an interrupted write left it",
                fmt::format("Put the leftover {} away.", finding.where));
  }
  if (auto removed = remove_redundant(path); !removed) return base::fail(removed.error());
  workshop.did(fmt::format("Removed {}, which an interrupted write had left.", finding.where));
  return true;
}

// The stash that a rebase or merge made before it began is named by its files only.
base::Result<void> rescue_autostash(Workshop& workshop, const fs::path& torn) {
  const auto history = History::open(workshop.scene.git_folder);
  if (!history) return {};
  for (const fs::path& path : {torn, torn / "autostash"}) {
    auto contents = contents_of(path).value_or(std::string());
    while (contents.ends_with('\n')) contents.pop_back();
    const auto id = id_of(contents);
    if (!id || !history->commit(*id)) continue;
    const auto rescued = workshop.rescue_commit(*id, "autostash", "changes that a rebase had set aside");
    if (!rescued) return base::fail(rescued.error());
  }
  return {};
}

base::Result<bool> treat_operation(Workshop& workshop, const Finding& finding) {
  const fs::path path = workshop.in_checkout(finding.where);
  if (auto rescued = rescue_autostash(workshop, path); !rescued) return base::fail(rescued.error());
  if (path.filename() == "BISECT_START") {
    for (const std::string_view name :
         {"LOG", "TERMS", "NAMES", "EXPECTED_REV", "ANCESTORS_OK", "RUN", "FIRST_PARENT"}) {
      const fs::path file = workshop.in_git(fmt::format("BISECT_{}", name));
      if (auto moved = workshop.put_away(file, "a torn bisect"); !moved) return base::fail(moved.error());
    }
  }
  return away(workshop, path, "a torn merge, rebase or bisect", fmt::format("Put the torn {} away.", finding.where));
}

}  // namespace

base::Result<bool> treat_git_folder(Workshop& workshop, const Finding& finding) {
  const fs::path path = workshop.in_checkout(finding.where);
  switch (finding.kind) {
    case kNoPermission:
      return give_access(workshop, path.lexically_normal());  // of a closed folder, "." cannot be looked at
    case kStaleLock:
      return away(workshop, path, "a stale lock", fmt::format("Removed the stale lock {}.", finding.where));
    case kFolderInTheWay:
      return away(workshop, path, "it was in the way", fmt::format("Moved {} out of git's way.", finding.where));
    case kObjectsFolderMissing:
      return make_folder(workshop, path, {"pack", "info"});
    case kRefsFolderMissing:
      workshop.references_were_lost = true;
      workshop.wants_full_fetch = true;
      return make_folder(workshop, path, {"heads", "tags"});
    case kCommitGraphDamaged:
    case kMultiPackIndexDamaged:
    case kPackCacheDamaged:
      return away(workshop, path, "a damaged cache", fmt::format("Put the damaged cache {} away.", finding.where));
    case kLeftoverFile:
      return treat_leftover(workshop, finding);
    case kOperationDamaged:
      return treat_operation(workshop, finding);
    case kGraftsDamaged:
      return treat_grafts(workshop, path);
    case kAlternatesDamaged:
      return stop_borrowing(workshop, path);
    case kShallowDamaged:
      return treat_shallow(workshop);
    case kConfigDamaged:
    case kRemoteMissing:
      return treat_config(workshop);
    default:
      return false;
  }
}

base::Result<bool> treat_config(Workshop& workshop) {
  const fs::path path = workshop.in_git("config");
  std::string contents = contents_of(path).value_or(std::string());
  git_config* opened = nullptr;
  const bool readable = contents.find('\0') == std::string::npos && contents.find('[') != std::string::npos &&
                        git_config_open_ondisk(&opened, path.c_str()) == 0;
  const Config config(opened);
  std::int32_t version = 0;
  const bool only_remote_missing =
      readable && git_config_get_int32(&version, config.get(), "core.repositoryformatversion") == 0;
  if (!only_remote_missing) {
    contents = "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n\tlogallrefupdates = true\n";
  } else if (!contents.ends_with('\n')) {
    contents += '\n';
  }
  if (!workshop.remote.url.empty()) {
    contents += fmt::format("[remote \"origin\"]\n\turl = {}\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n",
                            workshop.remote.url);
  } else if (only_remote_missing) {
    return false;
  }
  if (!only_remote_missing) {
    const RefTable table = read_refs(workshop.scene.git_folder);
    for (const auto& [name, value] : table.refs) {
      if (!name.starts_with("refs/heads/") || !table.refs.contains("refs/remotes/origin/" + short_name(name))) continue;
      contents += fmt::format("[branch \"{0}\"]\n\tremote = origin\n\tmerge = refs/heads/{0}\n", short_name(name));
    }
  }
  if (auto kept = workshop.keep_copy(path, "replaced"); !kept) return base::fail(kept.error());
  if (!is_file(path)) {
    if (auto moved = workshop.put_away(path, "it was in config's place"); !moved) return base::fail(moved.error());
  }
  if (auto written = workshop.folder.write_durably(path, contents); !written) return base::fail(written.error());
  workshop.did(only_remote_missing ? "Added the remote to .git/config." : "Wrote .git/config again.");
  return true;
}

}  // namespace checkout
