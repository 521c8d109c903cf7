// Files that git passes through a program between the database and the work tree: Git LFS, git-crypt and the like. No
// such program is started here, since a repository's configuration may be anybody's. So nothing here can write such a
// file; and what its bytes should be only Git LFS tells, whose pointer in the database names their hash.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "launcher/checkout/git/library.h"

namespace checkout {

struct LfsPointer {
  std::uint64_t size = 0;
  std::string sha256;  // 64 hex digits
};
std::optional<LfsPointer> parse_lfs_pointer(std::string_view contents);

class Filters {
 public:
  // `repository` is borrowed, and belongs to one thread.
  explicit Filters(git_repository* repository) : repository_(repository) {}

  // By its attributes and the configuration, the user's own included.
  bool apply_to(const std::string& path);

  enum class Verdict { kFits, kDiffers, kUnknown };
  // Does this file, to which they apply, hold what the program would make of the blob?
  Verdict compare(const std::filesystem::path& file, const git_oid& blob) const;

 private:
  bool is_configured(const std::string& driver);

  git_repository* repository_;
  std::map<std::string, bool> configured_;  // of the drivers that were asked for
};

// There is a file whose bytes are those of the program's making: it is not to be written over.
bool is_out_of_hand(Filters& filters, const std::filesystem::path& work_tree, const std::string& path);

}  // namespace checkout
