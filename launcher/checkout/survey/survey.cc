#include "launcher/checkout/survey/survey.h"

#include "launcher/checkout/git/files.h"
#include "launcher/checkout/survey/shared_look.h"

namespace checkout {

Scene make_scene(const fs::path& work_tree) {
  Scene scene;
  scene.work_tree = work_tree;
  scene.git_folder = work_tree / ".git";
  if (const auto contents = contents_of(scene.git_folder); contents && contents->starts_with("gitdir: ")) {
    std::string named = contents->substr(8);
    while (!named.empty() && (named.back() == '\n' || named.back() == '\r')) named.pop_back();
    const fs::path target(named);
    const fs::path folder = target.is_absolute() ? target : (work_tree / target).lexically_normal();
    if (is_folder(folder)) scene.git_folder = folder;
  }
  return scene;
}

Survey survey_scene(const Scene& given) {
  Scene scene = given;
  Survey survey;
  survey.depth = scene.depth;
  Findings& findings = survey.findings;
  survey.looked_into = survey_place(scene, findings);
  if (!survey.looked_into) return survey;
  scene.look = look_at(scene);
  survey.looked_into = survey_format(scene, findings);
  if (!survey.looked_into) return survey;
  survey_locks(scene, findings);
  if (!survey_git_folder(scene, findings)) return survey;
  survey_caches(scene, findings);
  survey_leftovers(scene, findings);
  survey_references(scene, findings);
  const ObjectsLook objects = survey_object_files(scene, findings);
  survey_index(scene, findings);
  survey_operations(scene, findings);
  survey_features(scene, findings);
  survey_reachable(scene, objects, findings);
  survey_work_tree(scene, findings);
  return survey;
}

bool is_object_folder(const fs::path& path) {
  const std::string name = path.filename().string();
  return name.size() == 2 && path.parent_path().filename() == "objects" &&
         name.find_first_not_of("0123456789abcdef") == std::string::npos;
}

bool has_needed_mode(mode_t mode) {
  const mode_t needed = S_ISDIR(mode) ? S_IRUSR | S_IWUSR | S_IXUSR : S_IRUSR;
  return (mode & needed) == needed;
}

std::string where_of(const Scene& scene, const fs::path& path) {
  return path.lexically_relative(scene.work_tree).string();
}

}  // namespace checkout
