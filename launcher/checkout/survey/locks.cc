// Lock files. Git makes NAME.lock, writes it, and renames it over NAME; whoever dies in between leaves it behind.
// A lock is stale when nobody can be its owner: either we know that nobody else works on this disk, or no process
// that we can see has the lock open or stands in the checkout.
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cctype>

#include "launcher/checkout/git/files.h"
#include "launcher/checkout/survey/survey.h"

namespace checkout {
namespace {

using enum FindingKind;

constexpr auto kLocks = std::to_array<std::string_view>(
    {"index.lock", "HEAD.lock", "config.lock", "packed-refs.lock", "shallow.lock", "ORIG_HEAD.lock", "FETCH_HEAD.lock",
     "MERGE_HEAD.lock", "objects/info/commit-graph.lock", "objects/pack/multi-pack-index.lock",
     "objects/info/commit-graphs/commit-graph-chain.lock", "objects/info/alternates.lock", "gc.pid.lock",
     "AUTO_MERGE.lock"});

std::string name_of_process(const fs::path& process) {
  std::string name = contents_of(process / "comm").value_or("?");
  while (!name.empty() && name.back() == '\n') name.pop_back();
  return name;
}

// The process that may own a lock: it has the file open, or is a git that works in this checkout.
std::string owner_of(const Scene& scene, const fs::path& lock) {
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

void survey_lock(const Scene& scene, const fs::path& lock, Findings& findings) {
  const std::string owner = scene.lock_trust == LockTrust::kAskProcesses ? owner_of(scene, lock) : std::string();
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
  for (const std::string_view name : kLocks) {
    if (!is_nothing(scene.git_folder / name)) survey_lock(scene, scene.git_folder / name, findings);
  }
  std::error_code error;
  fs::recursive_directory_iterator entry(scene.git_folder / "refs", fs::directory_options::skip_permission_denied,
                                         error);
  for (const fs::recursive_directory_iterator end; !error && entry != end; entry.increment(error)) {
    if (entry->path().extension() == ".lock") survey_lock(scene, entry->path(), findings);
  }
}

}  // namespace checkout
