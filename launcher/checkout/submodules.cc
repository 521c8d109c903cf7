#include "launcher/checkout/submodules.h"

#include <fmt/format.h>
#include <git2.h>

namespace checkout {
namespace {

struct Found {
  std::string path;
  std::string url;
};

int collect(git_submodule* submodule, const char*, void* payload) {
  const char* url = git_submodule_url(submodule);
  static_cast<std::vector<Found>*>(payload)->push_back({git_submodule_path(submodule), url != nullptr ? url : ""});
  return 0;
}

bool is_empty_or_missing(const fs::path& path) {
  std::error_code error;
  return is_nothing(path) || (is_folder(path) && fs::is_empty(path, error) && !error);
}

}  // namespace

void bring_in_submodules(Workshop& workshop) {
  if (!is_file(workshop.scene.work_tree / ".gitmodules")) return;
  auto repository = open_repository(workshop.scene.git_folder, workshop.scene.work_tree);
  if (!repository) return;
  std::vector<Found> submodules;
  if (git_submodule_foreach(repository->get(), collect, &submodules) < 0) {
    workshop.warn("The submodules cannot be listed: " + library_error(-1, "").detail);
    return;
  }
  for (const Found& found : submodules) {
    const fs::path path = workshop.scene.work_tree / found.path;
    if (!is_empty_or_missing(path) || found.url.starts_with('-') || found.url.starts_with("ext::")) continue;
    workshop.warn(
        fmt::format("The submodule {} has no files; run git submodule update --init in the checkout.", found.path));
  }
}

}  // namespace checkout
