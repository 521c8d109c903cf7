#include "launcher/checkout/submodules.h"

#include <fmt/format.h>
#include <git2.h>

#include "launcher/checkout/move.h"

namespace checkout {
namespace {

constexpr int kNestingMax = 5;

struct Submodule {
  std::string name;
  std::string path;
  std::string url;  // relative ones resolved
  git_oid commit;
};

bool is_local(const std::string& url) {
  return url.starts_with("/") || url.starts_with("file:") || url.starts_with(".");
}

}  // namespace

std::string resolve_submodule_url(const std::string& parent, const std::string& url) {
  if (!url.starts_with("./") && !url.starts_with("../")) return url;
  std::string base = parent;
  while (base.ends_with('/')) base.pop_back();
  std::string rest = url;
  char separator = '/';
  for (;;) {
    if (rest.starts_with("./")) {
      rest.erase(0, 2);
    } else if (rest.starts_with("../")) {
      rest.erase(0, 3);
      // "git@host:project" ends at its colon where no slash is left.
      const std::size_t end = base.find_last_of("/:");
      if (end == std::string::npos || (end > 0 && base[end - 1] == '/') || base.substr(end).starts_with("://")) break;
      separator = base[end];
      base.erase(end);
    } else {
      break;
    }
  }
  return base + separator + rest;
}

namespace {

std::vector<Submodule> list_submodules(git_repository* repository, const std::string& parent) {
  struct Listing {
    const std::string& parent;
    std::vector<Submodule> found;
  } listing{parent, {}};
  const auto collect = [](git_submodule* one, const char* name, void* payload) {
    auto* into = static_cast<Listing*>(payload);
    const git_oid* commit = git_submodule_head_id(one);
    const char* url = git_submodule_url(one);
    if (commit == nullptr || url == nullptr) return 0;
    into->found.push_back({name, git_submodule_path(one), resolve_submodule_url(into->parent, url), *commit});
    return 0;
  };
  (void)git_submodule_foreach(repository, collect, &listing);  // a torn .gitmodules lists what can be read
  return listing.found;
}

bool has_files(const fs::path& path) {
  std::error_code error;
  return is_folder(path) && !fs::is_empty(path, error) && !error;
}

// A submodule that somebody works in: on a branch, or with changes.
bool is_in_use(const fs::path& path) {
  const Scene scene = make_scene(path);
  const auto head = read_head(scene.git_folder);
  if (!head || !head->id) return head.has_value();
  Scene quick = scene;
  return survey_scene(quick).has(FindingKind::kLocalChanges);
}

bool is_at(const fs::path& path, const git_oid& commit) {
  const auto head = head_commit(make_scene(path).git_folder);
  return head && git_oid_equal(&*head, &commit) != 0;
}

void bring_in(Workshop& workshop, const Request& parent, const Submodule& submodule) {
  const fs::path path = workshop.scene.work_tree / submodule.path;
  if (!is_safe_path(submodule.path) || !has_plain_parents(workshop.scene.work_tree, submodule.path)) {
    return workshop.warn(
        fmt::format("The submodule path {} leads out of the work tree and is left alone.", submodule.path));
  }
  if (is_local(submodule.url) && !is_local(parent.url)) {
    return workshop.warn(
        fmt::format("The submodule {} names a path of this machine and is left alone.", submodule.path));
  }
  const bool there = has_files(path);
  const bool at_commit = there && is_at(path, submodule.commit);
  if (there && !at_commit && is_in_use(path)) {
    return workshop.warn(fmt::format("The submodule {} has local work and stays as it is.", submodule.path));
  }
  Request request = parent;
  request.url = submodule.url;
  request.ref = hex_of(submodule.commit);
  request.path = path;
  request.private_folder = workshop.folder.root() / "submodules" / submodule.path;
  request.update = at_commit ? UpdateMode::kNever : UpdateMode::kAlways;
  request.history_depth = 0;
  ++request.submodule_nesting;
  const auto outcome = bring_up(request);
  if (!outcome) {
    return workshop.warn(
        fmt::format("The submodule {} cannot be brought in: {}", submodule.path, outcome.error().message()));
  }
  for (const std::string& sentence : outcome->done) workshop.done.push_back(submodule.path + ": " + sentence);
  for (const std::string& sentence : outcome->warnings) workshop.warnings.push_back(submodule.path + ": " + sentence);
  workshop.rescued.insert(workshop.rescued.end(), outcome->rescued.begin(), outcome->rescued.end());
}

}  // namespace

void bring_in_submodules(Workshop& workshop, const Request& request) {
  if (!is_file(workshop.scene.work_tree / ".gitmodules")) return;
  if (request.submodule_nesting >= kNestingMax)
    return workshop.warn("Submodules are nested too deep to be brought in.");
  auto repository = open_repository(workshop.scene.git_folder, workshop.scene.work_tree);
  if (!repository) return;
  for (const Submodule& submodule : list_submodules(repository->get(), request.url))
    bring_in(workshop, request, submodule);
}

}  // namespace checkout
