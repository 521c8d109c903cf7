// Files that survive a power cut, and the quarantine that things are moved to instead of being deleted.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace checkout {

namespace fs = std::filesystem;

// What lies at a path, links not followed.
enum class Kind { kNothing, kFile, kFolder, kLink, kOther, kUnknown };
Kind kind_at(const fs::path& path);
inline bool is_file(const fs::path& path) {
  return kind_at(path) == Kind::kFile;
}
inline bool is_folder(const fs::path& path) {
  return kind_at(path) == Kind::kFolder;
}
inline bool is_nothing(const fs::path& path) {
  return kind_at(path) == Kind::kNothing;
}
std::optional<struct stat> stat_of(const fs::path& path);
// The same where the reason counts; nullopt: there is nothing, and something could be made there.
base::Result<std::optional<struct stat>> look_at_path(const fs::path& path);

base::Result<std::string> read_file(const fs::path& path);
// nullopt for anything that cannot be read as a regular file.
std::optional<std::string> contents_of(const fs::path& path);
bool only_zero_bytes(std::string_view bytes);

base::Result<void> make_folders(const fs::path& path);
base::Result<void> sync_folder(const fs::path& path);
// Everything written to the file system that `path` lies on.
base::Result<void> sync_file_system(const fs::path& path);
// Atomically, and durable on return; both ends on one file system.
base::Result<void> rename_durably(const fs::path& from, const fs::path& to);
// Removes what is ours or proven redundant. A missing path is success.
base::Result<void> remove_redundant(const fs::path& path);

// The folder beside the checkout: staging is ours and disposable, quarantine is kept.
class PrivateFolder {
 public:
  explicit PrivateFolder(fs::path root) : root_(std::move(root)) {}

  fs::path root() const { return root_; }
  fs::path staging() const { return root_ / "staging"; }
  fs::path quarantine() const { return root_ / "quarantine"; }

  // Clears what an earlier, interrupted call left in staging.
  base::Result<void> prepare() const;
  // A path in staging that nothing lies at yet.
  base::Result<fs::path> fresh_staging_path(std::string_view hint) const;
  // Contents go to staging, are synced, and renamed over `path`.
  base::Result<void> write_durably(const fs::path& path, std::string_view contents, mode_t mode = 0644) const;

  // No more than so many bytes in quarantine, and those that rescue references keep count as well. 0: no limit.
  void limit(std::uint64_t bytes_max, std::uint64_t rescued_bytes);
  // To be asked before anything is added. What lies there twice is dropped first. Errors: kNoSpace, with the reason;
  // nothing was touched then.
  base::Result<void> room_for(std::uint64_t bytes);

  // The folder of this call's case; made at the first use.
  base::Result<fs::path> start_case();
  // Moves `what` into this call's quarantine case, under `name` (a relative path), and notes why.
  // `staying`: how much of it will stay there, where that is not all. Errors: kNoSpace over the limit.
  base::Result<fs::path> move_to_quarantine(const fs::path& what, const fs::path& name, std::string_view why,
                                            std::optional<std::uint64_t> staying = std::nullopt);
  base::Result<fs::path> copy_to_quarantine(const fs::path& what, const fs::path& name, std::string_view why);
  // Where this call's case lies; nullopt when nothing was moved.
  std::optional<fs::path> quarantine_case() const { return case_; }
  std::uint64_t quarantine_bytes() const;

 private:
  base::Result<fs::path> place_in_case(const fs::path& name);
  base::Result<void> note(const fs::path& placed, const fs::path& came_from, std::string_view why) const;

  fs::path root_;
  base::Result<void> drop_repeated_cases();

  std::optional<fs::path> case_;
  std::uint64_t bytes_max_ = 0;
  std::uint64_t rescued_bytes_ = 0;
  std::optional<std::uint64_t> used_;  // in quarantine, counted at the first question
};

std::uint64_t bytes_under(const fs::path& path);

}  // namespace checkout
