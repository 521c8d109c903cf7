// References and their logs.
#include <fmt/format.h>

#include <set>
#include <unordered_map>

#include "launcher/checkout/git/files.h"
#include "launcher/checkout/git/formats.h"
#include "launcher/checkout/git/history.h"
#include "launcher/checkout/survey/shared_look.h"

namespace checkout {
namespace {

using enum FindingKind;

std::string describe_damage(const std::optional<std::string>& contents) {
  if (!contents) return "It cannot be read.";
  if (contents->empty()) return "It is empty.";
  if (only_zero_bytes(*contents)) return "It holds zero bytes only.";
  return "It holds neither an object's id nor another reference's name.";
}

void survey_loose(const Scene& scene, Findings& findings) {
  const auto look = look_at(scene);
  for (const std::string& name : look->loose_refs) {
    if (!valid_ref_name(name)) {
      findings.push_back(make_finding(kRefDamaged, name, "Its name is none that git accepts."));
    } else if (!look->refs.refs.contains(name)) {  // its own file could not be parsed
      findings.push_back(make_finding(kRefDamaged, name, describe_damage(contents_of(scene.git_folder / name))));
    }
  }
}

void survey_packed(const Scene& scene, Findings& findings) {
  const fs::path path = scene.git_folder / "packed-refs";
  if (!is_file(path)) return;
  const auto contents = contents_of(path);
  if (contents && !parse_packed_refs(*contents).damaged) return;
  findings.push_back(make_finding(kPackedRefsDamaged, where_of(scene, path), "It has lines that make no sense."));
}

// Many references name the same objects, and each of those is looked for once.
class Targets {
 public:
  explicit Targets(const History& history) : history_(history) {}

  bool has(const git_oid& id) {
    return remembered(there_, id, [&] { return history_.has(id); });
  }
  bool may_be_commit(const git_oid& id) {
    return remembered(commits_, id,
                      [&] { return history_.type_of(id).value_or(GIT_OBJECT_COMMIT) == GIT_OBJECT_COMMIT; });
  }

 private:
  using Answers = std::unordered_map<git_oid, bool, IdHash, IdEqual>;

  template <class Ask>
  static bool remembered(Answers& answers, const git_oid& id, Ask ask) {
    const auto known = answers.find(id);
    return known != answers.end() ? known->second : answers.emplace(id, ask()).first->second;
  }

  const History& history_;
  Answers there_;
  Answers commits_;
};

void survey_targets(const SharedLook& look, const History& history, Findings& findings) {
  const RefTable& table = look.refs;
  Targets targets(history);
  for (const auto& [name, value] : table.refs) {
    const auto target = value.id ? value.id : table.resolve(name);
    if (!target) {
      findings.push_back(
          make_finding(kRefDangling, name, fmt::format("It names {}, which does not exist.", value.symbolic)));
    } else if (!targets.has(*target)) {
      findings.push_back(make_finding(kRefDangling, name, fmt::format("Its object {} is not there.", hex_of(*target))));
    } else if (name.starts_with("refs/heads/") && !targets.may_be_commit(*target)) {
      findings.push_back(make_finding(kRefDamaged, name, fmt::format("Its object {} is no commit.", hex_of(*target))));
    }
  }
  const auto& head = look.head_value;
  if (!head) return;
  if (head->id && !history.has(*head->id)) {
    findings.push_back(
        make_finding(kRefDangling, "HEAD", fmt::format("Its object {} is not there.", hex_of(*head->id))));
  } else if (head->id) {
    findings.push_back(make_finding(kHeadDetached, "HEAD", "It names a commit and no branch."));
  } else if (!table.refs.contains(head->symbolic)) {
    findings.push_back(
        make_finding(kHeadUnborn, "HEAD", fmt::format("It names {}, which does not exist.", head->symbolic)));
  }
}

bool has_references_below(const RefTable& table, const std::string& name) {
  const auto below = table.refs.lower_bound(name + "/");
  return below != table.refs.end() && below->first.starts_with(name + "/");
}

// Git keeps a reference either at a name or below it: what lies in between cannot be restored.
bool has_no_room(const RefTable& table, const std::string& name) {
  if (has_references_below(table, name)) return true;
  for (fs::path above = fs::path(name).parent_path(); above.has_parent_path(); above = above.parent_path()) {
    if (table.refs.contains(above.string())) return true;
  }
  return false;
}

// A deleted reference takes its log with it: a log on its own means that the reference was lost.
void survey_lost(const Scene& scene, Findings& findings) {
  const auto look = look_at(scene);
  const RefTable& table = look->refs;
  std::set<std::string> told;
  for (const Finding& finding : findings) told.insert(finding.where);
  for (const std::string& name : look->logged_refs) {
    if (table.refs.contains(name) || told.contains(name) || !valid_ref_name(name)) continue;
    if (has_no_room(table, name)) continue;
    const auto contents = contents_of(scene.git_folder / "logs" / name);
    if (!contents || parse_reflog(*contents).entries.empty()) continue;
    findings.push_back(make_finding(kRefDamaged, name, "It is gone while its log is there.", Confidence::kLikely));
  }
}

void survey_log(const Scene& scene, const std::string& name, Findings& findings) {
  const fs::path path = scene.git_folder / "logs" / name;
  const auto contents = contents_of(path);
  if (contents && !parse_reflog(*contents).damaged) return;
  findings.push_back(make_finding(kReflogDamaged, where_of(scene, path), "It has lines that make no sense."));
}

void survey_logs(const Scene& scene, Findings& findings) {
  const auto look = look_at(scene);
  for (const Listed& file : look->git_files.below("logs/refs")) {
    const std::string name = file.name.substr(std::string_view("logs/").size());
    if (S_ISDIR(file.mode) && look->refs.refs.contains(name)) {
      findings.push_back(make_finding(kFolderInTheWay, where_of(scene, scene.git_folder / file.name),
                                      "There is a folder where git keeps the reference's log."));
    } else if (S_ISREG(file.mode) && has_references_below(look->refs, name)) {
      findings.push_back(make_finding(kFolderInTheWay, where_of(scene, scene.git_folder / file.name),
                                      "There is a file where git keeps a folder of references' logs."));
    } else if (S_ISREG(file.mode) && may_be_reference(file)) {
      survey_log(scene, name, findings);
    }
  }
  if (is_file(scene.git_folder / "logs" / "HEAD")) survey_log(scene, "HEAD", findings);
}

}  // namespace

void survey_references(const Scene& scene, Findings& findings) {
  survey_loose(scene, findings);
  survey_packed(scene, findings);
  survey_logs(scene, findings);
  survey_lost(scene, findings);
  if (const auto look = look_at(scene); look->history) survey_targets(*look, *look->history, findings);
}

}  // namespace checkout
