// A read-only look at a checkout, area by area. Only surveying changes nothing, ever; it is safe on any repository.
#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "launcher/checkout/survey/finding.h"

namespace checkout {

namespace fs = std::filesystem;

class History;
class KnownSound;
struct SharedLook;

struct Scene {
  fs::path work_tree;
  fs::path git_folder;  // <work tree>/.git, or what a .git file leads to
  Depth depth = Depth::kQuick;
  LockTrust lock_trust = LockTrust::kAskProcesses;
  std::string url;             // what the remote should be; empty: whatever it is
  bool remote_wanted = false;  // a checkout without a remote is damage

  std::shared_ptr<KnownSound> known_sound;  // across the surveys of one call; may be null
  std::shared_ptr<const SharedLook> look;   // what several areas ask; of one survey only

  bool deep() const { return depth != Depth::kQuick; }
};

Scene make_scene(const fs::path& work_tree);

Survey survey_scene(const Scene& scene);

using Findings = std::vector<Finding>;
struct ObjectsLook;

// The areas, in the order in which they are looked at. The first three return false when there is no use in going on.
bool survey_place(const Scene& scene, Findings& findings);       // the checkout's folder and its .git
bool survey_format(const Scene& scene, Findings& findings);      // is it one that is understood here?
bool survey_git_folder(const Scene& scene, Findings& findings);  // HEAD, config, objects/, refs/, lists
void survey_caches(const Scene& scene, Findings& findings);      // what git makes again
void survey_leftovers(const Scene& scene, Findings& findings);
void survey_locks(const Scene& scene, Findings& findings);
void survey_references(const Scene& scene, Findings& findings);  // refs, packed-refs, reflogs
// The files of the object database; what was learnt of the objects in them helps survey_reachable.
ObjectsLook survey_object_files(const Scene& scene, Findings& findings);
void survey_index(const Scene& scene, Findings& findings);
void survey_operations(const Scene& scene, Findings& findings);  // half-finished merges and so on
void survey_features(const Scene& scene, Findings& findings);
void survey_reachable(const Scene& scene, const ObjectsLook& objects, Findings& findings);
void survey_work_tree(const Scene& scene, Findings& findings);

// The processes that may be writing files of .git: those that have one open, and a git that works in this checkout.
class Neighbours {
 public:
  explicit Neighbours(const Scene& scene) : scene_(scene) {}

  // Who may be writing this file. Empty: nobody, or nobody else could be.
  std::string owner_of(const fs::path& file);

 private:
  void look_around();

  const Scene& scene_;
  bool looked_ = false;                      // at all processes, once and only when there is something to ask
  std::string git_;                          // empty: none works here
  std::map<fs::path, std::string> writers_;  // by the file
};

// objects/ab: where loose objects lie, and nothing else.
bool is_object_folder(const fs::path& path);

// The owner may read it, and what it is for.
bool has_needed_mode(mode_t mode);

// A path relative to the checkout, for people and as the key of a finding.
std::string where_of(const Scene& scene, const fs::path& path);

}  // namespace checkout
