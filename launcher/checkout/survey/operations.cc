// Merges, rebases and the like that somebody began and did not end. A sound one is the user's to go on with; one whose
// files are torn only makes git refuse.
#include <fmt/format.h>

#include <array>

#include "launcher/checkout/git/files.h"
#include "launcher/checkout/git/history.h"
#include "launcher/checkout/survey/shared_look.h"

namespace checkout {
namespace {

using enum FindingKind;

// One file with one id (MERGE_HEAD: one a line) that names a commit.
void survey_pseudo_ref(const Scene& scene, const History& history, std::string_view name, std::string_view operation,
                       Findings& findings) {
  const fs::path path = scene.git_folder / name;
  if (!is_file(path)) return;
  const std::string contents = contents_of(path).value_or(std::string());
  bool sound = !contents.empty();
  for (std::size_t start = 0; start < contents.size() && sound; start += GIT_OID_HEXSZ + 1) {
    const auto id = id_of(std::string_view(contents).substr(start, GIT_OID_HEXSZ));
    sound = id && history.has(*id);
  }
  findings.push_back(
      sound ? make_finding(kOperationInProgress, where_of(scene, path), fmt::format("A {} is not finished.", operation))
            : make_finding(kOperationDamaged, where_of(scene, path),
                           fmt::format("The {}'s file names no commit that is here.", operation)));
}

void survey_rebase(const Scene& scene, std::string_view name, const std::vector<std::string_view>& needed,
                   Findings& findings) {
  const fs::path folder = scene.git_folder / name;
  if (is_nothing(folder)) return;
  bool sound = is_folder(folder);
  for (const std::string_view file : needed) {
    const auto contents = contents_of(folder / file);
    sound = sound && contents && !contents->empty() && !only_zero_bytes(*contents);
  }
  findings.push_back(sound ? make_finding(kOperationInProgress, where_of(scene, folder), "A rebase is not finished.")
                           : make_finding(kOperationDamaged, where_of(scene, folder), "The rebase's files are torn."));
}

}  // namespace

void survey_operations(const Scene& scene, Findings& findings) {
  const auto look = look_at(scene);
  if (!look->history) return;
  const History* history = &*look->history;
  survey_pseudo_ref(scene, *history, "MERGE_HEAD", "merge", findings);
  survey_pseudo_ref(scene, *history, "CHERRY_PICK_HEAD", "cherry-pick", findings);
  survey_pseudo_ref(scene, *history, "REVERT_HEAD", "revert", findings);
  survey_rebase(scene, "rebase-merge", {"head-name", "onto"}, findings);
  const bool is_am = is_file(scene.git_folder / "rebase-apply" / "applying");
  survey_rebase(
      scene, "rebase-apply",
      is_am ? std::vector<std::string_view>{"next", "last"} : std::vector<std::string_view>{"head-name", "onto"},
      findings);
  if (is_file(scene.git_folder / "BISECT_LOG")) {
    findings.push_back(make_finding(kOperationInProgress, where_of(scene, scene.git_folder / "BISECT_LOG"),
                                    "A bisect is not finished."));
  }
  if (is_file(scene.git_folder / "podlaunch" / "update")) {
    findings.push_back(make_finding(kUpdateInterrupted, where_of(scene, scene.git_folder / "podlaunch" / "update"),
                                    "The launcher's own update was cut off."));
  }
}

}  // namespace checkout
