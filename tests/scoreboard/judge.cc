#include "judge.h"

#include <sstream>

namespace scoreboard {
namespace {

using checkout::LivedIn;
using checkout::shell;
namespace fs = checkout::fs;

std::string at(const LivedIn& world) {
  return "git -C " + world.path.string() + " ";
}

bool no_lock_is_left(const LivedIn& world) {
  return shell("find " + (world.path / ".git").string() + " -name '*.lock' | grep -q .").status != 0;
}

bool files_are_in_place(const LivedIn& world) {
  const auto listed = shell(at(world) + "ls-tree -r HEAD");
  if (listed.status != 0) return false;
  std::istringstream lines(listed.output);
  for (std::string line; std::getline(lines, line);) {
    const std::string id = line.substr(12, 40);
    const std::string path = line.substr(line.find('\t') + 1);
    if (path == "examples/run.sh" && fs::exists(world.path / path)) continue;  // the user's own change
    const auto hashed = shell(at(world) + "hash-object " + path);
    if (hashed.status != 0 || hashed.output.substr(0, 40) != id) return false;
  }
  return true;
}

}  // namespace

bool recovered(const LivedIn& world, bool trained) {
  return trained && world.fsck_is_clean() && shell(at(world) + "status --porcelain").status == 0 &&
         no_lock_is_left(world) && files_are_in_place(world);
}

std::set<std::string> lost_marks(const LivedIn& world) {
  std::set<std::string> lost = world.lost();
  if (lost.empty()) return lost;
  const std::string objects = shell(at(world) + "cat-file --batch-all-objects --batch --unordered").output;
  for (const checkout::Mark& mark : checkout::marks()) {
    if (!lost.contains(mark.name)) continue;
    if (objects.find(mark.bytes) != std::string::npos || LivedIn::holds(world.path.parent_path(), mark.bytes)) {
      lost.erase(mark.name);
    }
  }
  return lost;
}

}  // namespace scoreboard
