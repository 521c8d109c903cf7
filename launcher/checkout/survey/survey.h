// A read-only look at a checkout, area by area. Only surveying changes nothing, ever; it is safe on any repository.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "launcher/checkout/survey/finding.h"

namespace checkout {

namespace fs = std::filesystem;

struct Scene {
  fs::path work_tree;
  fs::path git_folder;  // <work tree>/.git, or what a .git file leads to
  Depth depth = Depth::kQuick;
  LockTrust lock_trust = LockTrust::kAskProcesses;
  std::string url;  // what the remote should be; empty: whatever it is
};

Scene make_scene(const fs::path& work_tree);

Survey survey_scene(const Scene& scene);

using Findings = std::vector<Finding>;

// The areas, in the order in which they are looked at. The first two return false when there is no use in going on.
bool survey_place(const Scene& scene, Findings& findings);       // the checkout's folder and its .git
bool survey_git_folder(const Scene& scene, Findings& findings);  // HEAD, config, objects/, refs/, caches, leftovers
void survey_locks(const Scene& scene, Findings& findings);
void survey_references(const Scene& scene, Findings& findings);  // refs, packed-refs, reflogs
void survey_object_files(const Scene& scene, Findings& findings);
void survey_index(const Scene& scene, Findings& findings);
void survey_operations(const Scene& scene, Findings& findings);  // half-finished merges and so on
void survey_features(const Scene& scene, Findings& findings);
void survey_reachable(const Scene& scene, Findings& findings);
void survey_work_tree(const Scene& scene, Findings& findings);

// A path relative to the checkout, for people and as the key of a finding.
std::string where_of(const Scene& scene, const fs::path& path);

}  // namespace checkout
