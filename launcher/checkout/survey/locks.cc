// Lock files. Git makes NAME.lock, writes it, and renames it over NAME; whoever dies in between leaves it behind.
// A lock is stale when nobody can be its owner: either we know that nobody else works on this disk, or no process
// that we can see has the lock open or stands in the checkout.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "launcher/checkout/git/files.h"
#include "launcher/checkout/survey/survey.h"

namespace checkout {
namespace {

using enum FindingKind;

// Not git's, or of another work tree.
constexpr auto kElsewhere = std::to_array<std::string_view>({"hooks", "lfs", "annex", "worktrees", "podlaunch"});

std::string name_of_process(const fs::path& process) {
  std::string name = contents_of(process / "comm").value_or("?");
  while (!name.empty() && name.back() == '\n') name.pop_back();
  return name;
}

}  // namespace

std::string owner_of(const Scene& scene, const fs::path& lock) {
  if (scene.lock_trust == LockTrust::kNobodyElse) return {};
  std::error_code error;
  const std::string ours = std::to_string(::getpid());
  for (fs::directory_iterator process("/proc", error), end; !error && process != end; process.increment(error)) {
    const std::string id = process->path().filename();
    if (id.empty() || std::isdigit(static_cast<unsigned char>(id[0])) == 0 || id == ours) continue;
    std::error_code ignored;
    const fs::path folder = fs::read_symlink(process->path() / "cwd", ignored);
    const auto inside = folder.lexically_relative(scene.work_tree);
    const bool works_here = !folder.empty() && !inside.empty() && *inside.begin() != "..";
    if (works_here && name_of_process(process->path()).starts_with("git")) {
      return fmt::format("{} (process {})", name_of_process(process->path()), id);
    }
    for (fs::directory_iterator file(process->path() / "fd", ignored), none; !ignored && file != none;
         file.increment(ignored)) {
      std::error_code unreadable;
      if (fs::read_symlink(file->path(), unreadable) == lock) {
        return fmt::format("{} (process {})", name_of_process(process->path()), id);
      }
    }
  }
  return {};
}

namespace {

void survey_lock(const Scene& scene, const fs::path& lock, Findings& findings) {
  const std::string owner = owner_of(scene, lock);
  if (!owner.empty()) {
    findings.push_back(make_finding(kHeldLock, where_of(scene, lock), fmt::format("{} is at work here.", owner)));
    return;
  }
  const std::string_view proof = scene.lock_trust == LockTrust::kNobodyElse
                                     ? "Nobody else works on this disk, so its owner is gone."
                                     : "No process here has it open or works in the checkout.";
  const Confidence sure = scene.lock_trust == LockTrust::kNobodyElse ? Confidence::kCertain : Confidence::kLikely;
  findings.push_back(make_finding(kStaleLock, where_of(scene, lock), std::string(proof), sure));
}

}  // namespace

void survey_locks(const Scene& scene, Findings& findings) {
  if (is_file(scene.git_folder / "gc.pid")) survey_lock(scene, scene.git_folder / "gc.pid", findings);
  std::error_code error;
  fs::recursive_directory_iterator entry(scene.git_folder, fs::directory_options::skip_permission_denied, error);
  for (const fs::recursive_directory_iterator end; !error && entry != end; entry.increment(error)) {
    const fs::path& path = entry->path();
    if (path.extension() == ".lock") {
      entry.disable_recursion_pending();
      survey_lock(scene, path, findings);
      continue;
    }
    std::error_code unknown;
    if (!entry->is_directory(unknown)) continue;
    const std::string name = path.filename().string();
    const bool elsewhere =
        entry.depth() == 0 && std::find(kElsewhere.begin(), kElsewhere.end(), name) != kElsewhere.end();
    if (elsewhere || is_object_folder(path)) entry.disable_recursion_pending();
  }
}

}  // namespace checkout
