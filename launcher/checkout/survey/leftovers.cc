// What an interrupted write left: files under the names that git and libgit2 write to before they rename. Whoever
// writes one may still be at it, as with a lock.
#include <fmt/format.h>

#include <array>

#include "launcher/checkout/git/files.h"
#include "launcher/checkout/survey/survey.h"

namespace checkout {
namespace {

using enum FindingKind;

struct Place {
  std::string_view folder;  // in .git
  std::string_view prefix;
};

constexpr auto kPlaces = std::to_array<Place>({
    {"objects/pack", "tmp_"},
    {"objects/pack", ".tmp-"},
    {"objects/pack", "pack_git2_"},
    {"objects", "tmp_objdir-"},
    {"objects", "tmp_obj_"},
    {"objects/info", "packs_"},
    {"objects/info", "tmp_graph"},
    {"objects/info/commit-graphs", "tmp_graph"},
    {"info", "refs_"},
    {".", "packed-refs.new"},
});

}  // namespace

void survey_leftovers(const Scene& scene, Findings& findings) {
  Neighbours neighbours(scene);
  std::string_view listed;
  std::vector<fs::path> files;
  for (const auto& [folder, prefix] : kPlaces) {
    if (folder != listed) {
      files.clear();
      std::error_code error;
      for (fs::directory_iterator entry(scene.git_folder / folder, error), end; !error && entry != end;
           entry.increment(error)) {
        files.push_back(entry->path());
      }
      listed = folder;
    }
    for (const fs::path& file : files) {
      if (!file.filename().string().starts_with(prefix)) continue;
      const fs::path path = file.lexically_normal();
      const std::string owner = neighbours.owner_of(path);
      findings.push_back(
          owner.empty() ? make_finding(kLeftoverFile, where_of(scene, path), "An interrupted write left it.")
                        : make_finding(kHeldLock, where_of(scene, path), fmt::format("{} is at work here.", owner)));
    }
  }
}

}  // namespace checkout
