// Moving the work tree from one commit to another without losing a local change, and without ever leaving a mixture of
// both that nobody knows of.
#pragma once

#include <string>
#include <vector>

#include "launcher/checkout/treatment/workshop.h"

namespace checkout {

struct Move {
  git_oid from;
  git_oid to;
  std::string branch;  // full name that HEAD is on afterwards; empty: detached
};

struct MoveResult {
  bool moved = false;
  std::vector<std::string> collisions;  // paths with local changes in the way; then nothing was touched
  // The same for files that git passes through a program: only it could write them. Never written over.
  std::vector<std::string> out_of_hand;
  std::string impossible;  // a name of the new commit's that cannot be here, and why; as before
};

enum class Collisions { kRefuse, kOverwrite, kSkip };

// kOverwrite is for local changes that are in a rescue reference already.
base::Result<MoveResult> move_work_tree(Workshop& workshop, const Move& move, Collisions collisions);

// Finishes a move that was cut off. True: there was one.
base::Result<bool> finish_interrupted_move(Workshop& workshop);

// A tree from elsewhere may hold any name. None may lead out of the work tree or into .git.
bool is_safe_path(const std::string& path);
// No folder above the file is a link, or a file.
bool has_plain_parents(const fs::path& work_tree, const std::string& path);

// Writes the files of HEAD that are not there, and no others.
base::Result<int> restore_missing_files(Workshop& workshop);

}  // namespace checkout
