// Merges, rebases and the like that somebody began and did not end. A sound one is the user's to go on with; one whose
// files are torn only makes git refuse.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "launcher/checkout/git/files.h"
#include "launcher/checkout/git/history.h"
#include "launcher/checkout/survey/shared_look.h"

namespace checkout {
namespace {

using enum FindingKind;

struct PseudoRef {
  std::string_view name;
  std::string_view operation;
  bool tells_of_one;  // its being there means that the operation is not finished
};

constexpr auto kPseudoRefs = std::to_array<PseudoRef>({
    {"MERGE_HEAD", "merge", true},
    {"CHERRY_PICK_HEAD", "cherry-pick", true},
    {"REVERT_HEAD", "revert", true},
    {"REBASE_HEAD", "rebase", false},
    {"AUTO_MERGE", "merge", false},
    {"MERGE_AUTOSTASH", "merge", false},
});

// One file with one id (MERGE_HEAD: one a line) that names an object.
void survey_pseudo_ref(const Scene& scene, const History& history, const PseudoRef& ref, Findings& findings) {
  const fs::path path = scene.git_folder / ref.name;
  if (!is_file(path)) return;
  const std::string contents = contents_of(path).value_or(std::string());
  bool sound = !contents.empty();
  for (std::size_t start = 0; start < contents.size() && sound; start += GIT_OID_HEXSZ + 1) {
    const auto id = id_of(std::string_view(contents).substr(start, GIT_OID_HEXSZ));
    sound = id && history.has(*id);
  }
  if (!sound) {
    findings.push_back(make_finding(kOperationDamaged, where_of(scene, path),
                                    fmt::format("The {}'s file names nothing that is here.", ref.operation)));
  } else if (ref.tells_of_one) {
    findings.push_back(
        make_finding(kOperationInProgress, where_of(scene, path), fmt::format("A {} is not finished.", ref.operation)));
  }
}

enum class Holds { kText, kCommit };
struct NeededFile {
  std::string_view name;
  Holds holds = Holds::kText;
};

bool holds_what_it_should(const History& history, const fs::path& path, Holds holds) {
  auto contents = contents_of(path);
  if (!contents || contents->empty() || contents->find('\0') != std::string::npos) return false;
  if (holds == Holds::kText) return true;
  while (contents->ends_with('\n')) contents->pop_back();
  const auto id = id_of(*contents);
  return id && history.has(*id);
}

// An operation with a folder of its own. What it needs is what both going on and going back need.
void survey_folder(const Scene& scene, const History& history, std::string_view name, std::string_view operation,
                   const std::vector<NeededFile>& needed, Findings& findings) {
  const fs::path folder = scene.git_folder / name;
  if (is_nothing(folder)) return;
  const bool sound = is_folder(folder) && std::all_of(needed.begin(), needed.end(), [&](const NeededFile& file) {
                       return holds_what_it_should(history, folder / file.name, file.holds);
                     });
  findings.push_back(sound ? make_finding(kOperationInProgress, where_of(scene, folder),
                                          fmt::format("A {} is not finished.", operation))
                           : make_finding(kOperationDamaged, where_of(scene, folder),
                                          fmt::format("The {}'s files are torn.", operation)));
}

void survey_rebases(const Scene& scene, const History& history, Findings& findings) {
  const std::vector<NeededFile> rebase = {{"head-name"}, {"onto", Holds::kCommit}, {"orig-head", Holds::kCommit}};
  const bool is_am = is_file(scene.git_folder / "rebase-apply" / "applying");
  survey_folder(scene, history, "rebase-merge", "rebase", rebase, findings);
  survey_folder(scene, history, "rebase-apply", is_am ? "git am" : "rebase",
                is_am ? std::vector<NeededFile>{{"next"}, {"last"}} : rebase, findings);
}

// A cherry-pick or revert of several commits. git asks abort-safety before it goes back, and goes without it.
void survey_sequencer(const Scene& scene, const History& history, Findings& findings) {
  survey_folder(scene, history, "sequencer", "cherry-pick or revert of several commits",
                {{"head", Holds::kCommit}, {"todo"}}, findings);
  const fs::path guard = scene.git_folder / "sequencer" / "abort-safety";
  if (is_file(guard) && !holds_what_it_should(history, guard, Holds::kCommit)) {
    findings.push_back(make_finding(kOperationDamaged, where_of(scene, guard), "It names no commit that is here."));
  }
}

// git bisect ends by what BISECT_START holds; the log it can do without.
void survey_bisect(const Scene& scene, const History& history, Findings& findings) {
  const fs::path log = scene.git_folder / "BISECT_LOG";
  const fs::path start = scene.git_folder / "BISECT_START";
  if (is_nothing(log) && is_nothing(start)) return;
  const auto holds_text = [&](const fs::path& path) { return holds_what_it_should(history, path, Holds::kText); };
  const auto terms = contents_of(scene.git_folder / "BISECT_TERMS");
  const bool terms_fit =
      !terms || (std::count(terms->begin(), terms->end(), '\n') == 2 && terms->find('\0') == std::string::npos);
  const bool sound = holds_text(start) && (is_nothing(log) || holds_text(log)) && terms_fit;
  findings.push_back(sound ? make_finding(kOperationInProgress, where_of(scene, start), "A bisect is not finished.")
                           : make_finding(kOperationDamaged, where_of(scene, start), "The bisect's files are torn."));
}

}  // namespace

void survey_operations(const Scene& scene, Findings& findings) {
  const auto look = look_at(scene);
  if (!look->history) return;
  const History* history = &*look->history;
  for (const PseudoRef& ref : kPseudoRefs) survey_pseudo_ref(scene, *history, ref, findings);
  survey_rebases(scene, *history, findings);
  survey_sequencer(scene, *history, findings);
  survey_bisect(scene, *history, findings);
  if (is_file(scene.git_folder / "podlaunch" / "update")) {
    findings.push_back(make_finding(kUpdateInterrupted, where_of(scene, scene.git_folder / "podlaunch" / "update"),
                                    "The launcher's own update was cut off."));
  }
}

}  // namespace checkout
