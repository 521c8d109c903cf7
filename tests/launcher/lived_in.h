// Checkouts that somebody has worked in, in three forms of storage, and the marks that must never be lost.
#pragma once

#include <chrono>
#include <ostream>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "checkout_world.h"

namespace checkout {

enum class Storage { kLoose, kPacked, kMixed };

inline std::string name_of(Storage storage) {
  return storage == Storage::kLoose ? "loose" : storage == Storage::kPacked ? "packed" : "mixed";
}

inline void PrintTo(Storage storage, std::ostream* out) {
  *out << name_of(storage);
}

struct Mark {
  std::string name;
  std::string file;
  std::string bytes;
};

inline const std::vector<Mark>& marks() {
  static const std::vector<Mark> all = {
      {"local-commit", "local.py", "MARK of a local commit"},
      {"stash", "", "MARK of a stash"},
      {"second-branch", "", "MARK of a second branch"},
      {"dirty", "examples/run.sh", "MARK of a dirty file"},
      {"untracked", "notes.txt", "MARK of a note"},
      {"ignored", "outputs/step_10.ckpt", "MARK of a checkpoint"},
      {"staged", "staged.py", "MARK of a staged file"},
  };
  return all;
}

class LivedIn : public World {
 public:
  explicit LivedIn(Storage storage) {
    commit_upstream(".gitignore", "outputs/\n", "ignore");
    must("git -C " + author.string() + " tag -f v1 && git -C " + author.string() + " push -qf " + remote.string() +
         " v1");
    must_bring_up(request());
    work();
    store(storage);
    // Files must be older than the index by a second, as after any real pause: only then do their times prove anything.
    must("cd " + path.string() +
         " && git ls-files -z | xargs -0 touch -d '2 hours ago' && git update-index -q --refresh; git status "
         ">/dev/null");
    head_before = head();
    must("cp -a " + path.string() + " " + (root / "template").string());
  }

  // As new, also the private folder.
  void reset() const {
    must("chmod -R u+rwX " + path.parent_path().string() + " && rm -rf " + path.parent_path().string() + " && mkdir " +
         path.parent_path().string() + " && cp -a " + (root / "template").string() + " " + path.string());
  }

  // Names of the marks that lie nowhere: not in place, not reachable from a reference, not in quarantine.
  std::set<std::string> lost() const {
    std::set<std::string> missing;
    std::string history;
    for (const Mark& mark : marks()) {
      if (!mark.file.empty() && read_text(path / mark.file).find(mark.bytes) != std::string::npos) continue;
      if (history.empty()) {
        history = shell("git -C " + path.string() + " rev-list --objects --all --reflog | cut -d' ' -f1 | git -C " +
                        path.string() + " cat-file --batch")
                      .output;
      }
      if (history.find(mark.bytes) != std::string::npos || holds(private_folder_of(path), mark.bytes)) continue;
      missing.insert(mark.name);
    }
    return missing;
  }

  std::string head_before;

 private:
  void work() const {
    git("checkout -q -b experiment");
    write_file(path / "experiment.py", "# MARK of a second branch\n");
    git("add -A");
    git("commit -qm experiment");
    git("checkout -q DL4Math");
    write_file(path / "train.py", "# MARK of a stash\n");
    git("stash -q");
    write_file(path / "local.py", "# MARK of a local commit\n");
    git("add -A");
    git("commit -qm local");
    write_file(path / "examples/run.sh", "# MARK of a dirty file\n");
    write_file(path / "notes.txt", "MARK of a note\n");
    write_file(path / "outputs/step_10.ckpt", "MARK of a checkpoint\n");
    write_file(path / "staged.py", "# MARK of a staged file\n");
    git("add staged.py");
  }

  void store(Storage storage) const {
    if (storage == Storage::kPacked) git("gc -q --prune=never");
    if (storage == Storage::kLoose) {
      must("cd " + path.string() +
           " && mkdir ../packs && mv .git/objects/pack/* ../packs/ && for p in ../packs/*.pack; do git unpack-objects "
           "-q "
           "< $p; done && rm -rf ../packs");
    }
  }
};

}  // namespace checkout
