// The checkout's own folder and its .git: is there anything to survey at all?
#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "launcher/checkout/git/files.h"
#include "launcher/checkout/git/formats.h"
#include "launcher/checkout/survey/survey.h"

namespace checkout {
namespace {

using enum FindingKind;

// Neither a file, a folder nor a link. Nobody's checkout was ever there.
std::string_view name_of_special(mode_t mode) {
  if (S_ISFIFO(mode)) return "a pipe";
  return S_ISSOCK(mode) ? "a socket" : "a device";
}

bool is_empty_folder(const fs::path& path) {
  std::error_code error;
  return fs::is_empty(path, error) && !error;
}

void survey_access(const Scene& scene, Findings& findings) {
  struct statvfs system;
  if (::statvfs(scene.work_tree.c_str(), &system) == 0 && (system.f_flag & ST_RDONLY) != 0) {
    findings.push_back(make_finding(kReadOnlyFileSystem, ".", "The file system is mounted read-only."));
  }
  const auto found = stat_of(scene.git_folder);
  if (found && found->st_uid != ::geteuid()) {
    findings.push_back(make_finding(
        kForeignOwner, where_of(scene, scene.git_folder),
        fmt::format("It belongs to user {} and this is user {}; the launcher goes on, the git program asks for "
                    "git config --global --add safe.directory {}.",
                    found->st_uid, ::geteuid(), scene.work_tree.string())));
  }
}

bool is_database(const fs::path& folder) {
  const auto head = contents_of(folder / "HEAD");
  return head && parse_ref(*head) && is_folder(folder / "objects") && is_folder(folder / "refs");
}

}  // namespace

bool survey_place(const Scene& scene, Findings& findings) {
  const auto stop = [&](FindingKind kind, std::string what) {
    findings.push_back(make_finding(kind, ".", std::move(what)));
    return false;
  };
  const auto own = look_at_path(scene.work_tree);
  if (!own) return stop(kCheckoutOutOfReach, own.error().message() + '.');
  if (!*own) return stop(kCheckoutMissing, "There is no checkout yet.");
  const mode_t mode = (*own)->st_mode;
  if (S_ISREG(mode)) return stop(kCheckoutIsFile, "There is a file where the checkout should be.");
  if (S_ISLNK(mode)) return stop(kCheckoutIsLink, "The checkout's path is a symbolic link.");
  if (!S_ISDIR(mode)) return stop(kCheckoutIsSpecial, fmt::format("There is {} here.", name_of_special(mode)));
  if (is_empty_folder(scene.work_tree)) return stop(kCheckoutEmpty, "The checkout is an empty folder.");
  const fs::path dot_git = scene.work_tree / ".git";
  const Kind kind = kind_at(dot_git);
  if (kind == Kind::kUnknown) return stop(kNoPermission, "The folder's files cannot be looked at.");
  if (kind == Kind::kNothing && is_database(scene.work_tree)) {
    return stop(kBareRepository, "It is the database of a repository and has no work tree.");
  }
  if (kind == Kind::kNothing) return stop(kNotARepository, "The folder has files and no .git.");
  if (kind == Kind::kFolder && is_empty_folder(dot_git)) return stop(kGitFolderUnusable, "The .git folder is empty.");
  std::error_code error;
  const bool leads_somewhere = scene.git_folder != dot_git || (kind == Kind::kLink && fs::is_directory(dot_git, error));
  if (kind != Kind::kFolder && !leads_somewhere) {
    return stop(kGitFolderIsFileOrLink, "The .git is a file or a link that leads nowhere.");
  }
  if (scene.git_folder != dot_git && is_file(scene.git_folder / "commondir")) {
    return stop(kLinkedWorkTree,
                fmt::format("It is a work tree of another repository, by {}.", scene.git_folder.string()));
  }
  survey_access(scene, findings);
  return true;
}

}  // namespace checkout
