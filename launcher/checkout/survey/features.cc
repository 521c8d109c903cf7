// Features of git that are no damage. They are told, so that nobody is surprised, and left alone.
#include <fmt/format.h>
#include <git2.h>

#include "launcher/checkout/git/files.h"
#include "launcher/checkout/git/library.h"
#include "launcher/checkout/survey/survey.h"

namespace checkout {
namespace {

using enum FindingKind;

bool flag(const git_config* config, const char* key) {
  int value = 0;
  return git_config_get_bool(&value, config, key) == 0 && value != 0;
}

int tell_extension(const git_config_entry* entry, void* payload) {
  const std::string_view name = std::string_view(entry->name).substr(std::string_view("extensions.").size());
  if (name == "noop" || name == "partialclone" || name == "worktreeconfig") return 0;
  if (name == "objectformat" && std::string_view(entry->value) == "sha1") return 0;
  static_cast<Findings*>(payload)->push_back(
      make_finding(kUnsupportedExtension, ".git/config", fmt::format("{} = {}", entry->name, entry->value)));
  return 0;
}

}  // namespace

void survey_features(const Scene& scene, Findings& findings) {
  if (is_file(scene.work_tree / ".gitmodules")) {
    findings.push_back(make_finding(kSubmodules, ".gitmodules", "The project has submodules."));
  }
  if (is_file(scene.git_folder / "shallow") && !contents_of(scene.git_folder / "shallow").value_or("").empty()) {
    findings.push_back(make_finding(kShallow, ".git/shallow", "The history is cut off."));
  }
  const std::string attributes = contents_of(scene.work_tree / ".gitattributes").value_or("");
  if (attributes.find("filter=lfs") != std::string::npos) {
    findings.push_back(
        make_finding(kLfsPointers, ".gitattributes", "Large files are kept in Git LFS, which is not fetched."));
  }
  git_config* opened = nullptr;
  if (git_config_open_ondisk(&opened, (scene.git_folder / "config").c_str()) < 0) return;
  const Config config(opened);
  if (flag(config.get(), "core.sparsecheckout")) {
    findings.push_back(make_finding(kSparseCheckout, ".git/config", "Only a part of the files is checked out."));
  }
  if (flag(config.get(), "extensions.worktreeconfig")) {
    findings.push_back(make_finding(kWorktreeExtension, ".git/config", "extensions.worktreeConfig is set."));
  }
  (void)git_config_foreach_match(config.get(), "^extensions\\..*$", tell_extension, &findings);
  git_buf partial = GIT_BUF_INIT;
  if (git_config_get_string_buf(&partial, config.get(), "extensions.partialclone") == 0) {
    findings.push_back(
        make_finding(kPartialClone, ".git/config", fmt::format("Objects are promised by {}.", partial.ptr)));
  }
  git_buf_dispose(&partial);
}

}  // namespace checkout
