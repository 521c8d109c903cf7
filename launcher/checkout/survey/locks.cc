// Lock files. Git makes NAME.lock, writes it, and renames it over NAME; whoever dies in between leaves it behind.
// A lock is stale when nobody can be its owner: either we know that nobody else works on this disk, or no process
// that we can see has the lock open or stands in the checkout.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "launcher/checkout/git/files.h"
#include "launcher/checkout/survey/shared_look.h"

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

void Neighbours::look_around() {
  looked_ = true;
  std::error_code error;
  const std::string ours = std::to_string(::getpid());
  for (fs::directory_iterator process("/proc", error), end; !error && process != end; process.increment(error)) {
    const std::string id = process->path().filename();
    if (id.empty() || std::isdigit(static_cast<unsigned char>(id[0])) == 0 || id == ours) continue;
    std::error_code ignored;
    const auto described = [&] { return fmt::format("{} (process {})", name_of_process(process->path()), id); };
    const fs::path folder = fs::read_symlink(process->path() / "cwd", ignored);
    const auto inside = folder.lexically_relative(scene_.work_tree);
    const bool works_here = !folder.empty() && !inside.empty() && *inside.begin() != "..";
    if (git_.empty() && works_here && name_of_process(process->path()).starts_with("git")) git_ = described();
    for (fs::directory_iterator file(process->path() / "fd", ignored), none; !ignored && file != none;
         file.increment(ignored)) {
      std::error_code unreadable;
      const fs::path opened = fs::read_symlink(file->path(), unreadable);
      if (!unreadable && opened.native().starts_with(scene_.git_folder.native())) writers_.emplace(opened, described());
    }
  }
}

std::string Neighbours::owner_of(const fs::path& file) {
  if (scene_.lock_trust == LockTrust::kNobodyElse) return {};
  if (!looked_) look_around();
  const auto writer = writers_.find(file);
  return writer != writers_.end() ? writer->second : git_;
}

namespace {

void survey_lock(const Scene& scene, const fs::path& lock, Neighbours& neighbours, Findings& findings) {
  const std::string owner = neighbours.owner_of(lock);
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
  const auto look = look_at(scene);
  Neighbours neighbours(scene);
  for (const Listed& file : look->git_files.files) {
    const bool is_lock = file.name.ends_with(".lock") || (file.name == "gc.pid" && S_ISREG(file.mode));
    const std::string_view first = std::string_view(file.name).substr(0, file.name.find('/'));
    if (!is_lock || std::find(kElsewhere.begin(), kElsewhere.end(), first) != kElsewhere.end()) continue;
    survey_lock(scene, scene.git_folder / file.name, neighbours, findings);
  }
}

}  // namespace checkout
