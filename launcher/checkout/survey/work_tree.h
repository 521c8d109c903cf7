// The files of the work tree against the index and HEAD.
#pragma once

#include <string>
#include <vector>

#include "launcher/checkout/git/index_file.h"
#include "launcher/checkout/survey/survey.h"

namespace checkout {

enum class FileState {
  kUnchanged,
  kChanged,  // a local change, as git status would tell it
  kDeleted,
  kZeroed,   // nothing but NUL bytes where the index has contents
  kDamaged,  // differs although git would believe it unchanged
  kLost,     // zeroed or damaged, and only a program that git starts could make it again
};

struct WorkTreeState {
  struct File {
    std::string path;
    FileState state;
  };
  std::vector<File> files;            // all that are not unchanged
  std::vector<std::string> pointers;  // files that hold a pointer of Git LFS for their contents
  bool staged_changes = false;        // the index differs from HEAD
  bool readable = true;

  bool has_local_changes() const;
};

// Quick: files whose size and times fit are taken for unchanged. Deep: every file is hashed.
WorkTreeState compare_work_tree(const Scene& scene);

}  // namespace checkout
