// Features of git that are no damage. They are told, so that nobody is surprised, and left alone.
#include <fmt/format.h>

#include <algorithm>

#include "launcher/checkout/git/files.h"
#include "launcher/checkout/survey/shared_look.h"

namespace checkout {
namespace {

using enum FindingKind;

void tell_extension(const std::string& key, const std::string& value, Findings& findings) {
  const std::string_view name = std::string_view(key).substr(std::string_view("extensions.").size());
  if (name == "noop" || name == "partialclone" || name == "worktreeconfig") return;
  if (name == "objectformat" && value == "sha1") return;
  if (name == "refstorage" && value == "files") return;
  findings.push_back(make_finding(kUnsupportedExtension, ".git/config", fmt::format("{} = {}", key, value)));
}

bool promised(const ConfigFile& config) {
  return std::any_of(config.values().begin(), config.values().end(), [&](const auto& setting) {
    return setting.first.starts_with("remote.") && setting.first.ends_with(".promisor") && config.flag(setting.first);
  });
}

}  // namespace

// With longer ids, or references in a table, all that is read here would seem damaged.
bool survey_format(const Scene& scene, Findings& findings) {
  const auto look = look_at(scene);
  if (!look->config) return true;
  const std::string hash = look->config->value("extensions.objectformat").value_or("sha1");
  const std::string references = look->config->value("extensions.refstorage").value_or("files");
  if (hash != "sha1") tell_extension("extensions.objectformat", hash, findings);
  if (references != "files") tell_extension("extensions.refstorage", references, findings);
  return hash == "sha1" && references == "files";
}

void survey_features(const Scene& scene, Findings& findings) {
  if (is_file(scene.work_tree / ".gitmodules")) {
    findings.push_back(make_finding(kSubmodules, ".gitmodules", "The project has submodules."));
  }
  if (is_file(scene.git_folder / "shallow") && !contents_of(scene.git_folder / "shallow").value_or("").empty()) {
    findings.push_back(make_finding(kShallow, ".git/shallow", "The history is cut off."));
  }
  const auto look = look_at(scene);
  if (!look->config) return;
  const ConfigFile& config = *look->config;
  if (config.flag("core.sparsecheckout")) {
    findings.push_back(make_finding(kSparseCheckout, ".git/config", "Only a part of the files is checked out."));
  }
  if (config.flag("extensions.worktreeconfig")) {
    findings.push_back(make_finding(kWorktreeExtension, ".git/config", "extensions.worktreeConfig is set."));
  }
  for (const auto& [key, value] : config.values()) {
    if (key.starts_with("extensions.")) tell_extension(key, value, findings);
  }
  if (const auto promised_by = config.value("extensions.partialclone")) {
    findings.push_back(
        make_finding(kPartialClone, ".git/config", fmt::format("Objects are promised by {}.", *promised_by)));
  } else if (promised(config)) {
    findings.push_back(make_finding(kPartialClone, ".git/config", "Objects are promised by a remote."));
  }
}

}  // namespace checkout
