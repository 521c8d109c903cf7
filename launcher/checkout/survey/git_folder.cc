// The parts of a .git folder that git cannot work without.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "launcher/checkout/git/files.h"
#include "launcher/checkout/git/formats.h"
#include "launcher/checkout/git/history.h"
#include "launcher/checkout/survey/shared_look.h"

namespace checkout {
namespace {

using enum FindingKind;

constexpr auto kFiles = std::to_array<std::string_view>({"HEAD",
                                                         "config",
                                                         "index",
                                                         "packed-refs",
                                                         "shallow",
                                                         "FETCH_HEAD",
                                                         "ORIG_HEAD",
                                                         "MERGE_HEAD",
                                                         "MERGE_MSG",
                                                         "MERGE_MODE",
                                                         "MERGE_RR",
                                                         "MERGE_AUTOSTASH",
                                                         "SQUASH_MSG",
                                                         "CHERRY_PICK_HEAD",
                                                         "REVERT_HEAD",
                                                         "REBASE_HEAD",
                                                         "AUTO_MERGE",
                                                         "BISECT_LOG",
                                                         "BISECT_START",
                                                         "BISECT_TERMS",
                                                         "BISECT_NAMES",
                                                         "BISECT_EXPECTED_REV",
                                                         "COMMIT_EDITMSG",
                                                         "description",
                                                         "logs/HEAD",
                                                         "info/exclude",
                                                         "info/attributes",
                                                         "info/sparse-checkout",
                                                         "info/grafts",
                                                         "info/refs",
                                                         "objects/info/alternates",
                                                         "objects/info/commit-graph",
                                                         "objects/info/packs",
                                                         "objects/info/commit-graphs/commit-graph-chain",
                                                         "objects/pack/multi-pack-index"});
constexpr auto kFolders =
    std::to_array<std::string_view>({"logs", "logs/refs", "info", "hooks", "objects/info", "objects/info/commit-graphs",
                                     "objects/pack", "refs/heads", "refs/tags", "refs/remotes"});

void survey_forms(const Scene& scene, Findings& findings) {
  const auto look = look_at(scene);
  for (const std::string_view name : kFiles) {
    const Listed* found = look->git_files.find(name);
    if (found == nullptr || !S_ISDIR(found->mode)) continue;
    findings.push_back(make_finding(kFolderInTheWay, where_of(scene, scene.git_folder / name),
                                    "There is a folder where git keeps a file."));
  }
  for (const std::string_view name : kFolders) {
    const Listed* found = look->git_files.find(name);
    if (found == nullptr || !S_ISREG(found->mode)) continue;
    findings.push_back(make_finding(kFolderInTheWay, where_of(scene, scene.git_folder / name),
                                    "There is a file where git keeps a folder."));
  }
}

// Loose objects are looked at with the objects.
void survey_permissions(const Scene& scene, Findings& findings) {
  const auto look = look_at(scene);
  if (!look->git_files.opened) {
    findings.push_back(make_finding(kNoPermission, where_of(scene, scene.git_folder), "It cannot be listed."));
    return;
  }
  bool told = false;
  std::string closed;  // the folder told last; what lies in it is told once that is open
  for (const Listed& file : look->git_files.files) {
    if (S_ISLNK(file.mode) || has_needed_mode(file.mode)) continue;
    if (!closed.empty() && file.name.starts_with(closed)) continue;
    if (S_ISDIR(file.mode)) closed = file.name + '/';
    told = true;
    findings.push_back(make_finding(kNoPermission, where_of(scene, scene.git_folder / file.name),
                                    fmt::format("Its mode is {:03o}.", file.mode & 07777)));
  }
  if (!look->git_files.complete && !told) {
    findings.push_back(
        make_finding(kNoPermission, where_of(scene, scene.git_folder), "A folder in it cannot be read."));
  }
}

void survey_head(const Scene& scene, Findings& findings) {
  const fs::path head = scene.git_folder / "HEAD";
  if (is_folder(head)) return;  // told already
  const auto contents = contents_of(head);
  const auto value = contents ? parse_ref(*contents) : std::nullopt;
  if (value && !value->symbolic.empty() && !value->symbolic.starts_with("refs/heads/")) {
    findings.push_back(make_finding(kHeadDamaged, where_of(scene, head),
                                    fmt::format("It names {}, which is no branch.", value->symbolic)));
  } else if (!value) {
    const std::string what = !contents                    ? "It is missing or cannot be read."
                             : contents->empty()          ? "It is empty."
                             : only_zero_bytes(*contents) ? "It holds zero bytes only."
                                                          : "It names neither a branch nor a commit.";
    findings.push_back(make_finding(kHeadDamaged, where_of(scene, head), what));
  }
}

std::string without_credentials(std::string url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string::npos) return url;
  const std::size_t host = scheme + 3;
  const std::size_t slash = url.find('/', host);
  const std::size_t at = url.rfind('@', slash);
  if (at != std::string::npos && at >= host) url.erase(host, at + 1 - host);
  return url;
}

void survey_remote(const Scene& scene, const ConfigFile& config, const fs::path& path, Findings& findings) {
  const auto url = config.value("remote.origin.url");
  if (!url && scene.remote_wanted) {
    findings.push_back(make_finding(kRemoteMissing, where_of(scene, path), "There is no remote named origin."));
  } else if (url && !scene.url.empty() && without_credentials(*url) != without_credentials(scene.url)) {
    findings.push_back(make_finding(kRemoteDiffers, where_of(scene, path),
                                    fmt::format("The remote is {} and {} was asked for.", without_credentials(*url),
                                                without_credentials(scene.url))));
  }
}

void survey_config(const Scene& scene, Findings& findings) {
  const fs::path path = scene.git_folder / "config";
  if (is_folder(path)) return;
  const auto contents = contents_of(path);
  const auto damaged = [&](std::string what) {
    findings.push_back(make_finding(kConfigDamaged, where_of(scene, path), std::move(what)));
  };
  if (!contents) return damaged("It is missing or cannot be read.");
  if (contents->find_first_not_of(" \t\r\n") == std::string::npos) return damaged("It is empty.");
  if (contents->find('\0') != std::string::npos) return damaged("It holds zero bytes.");
  const auto look = look_at(scene);
  if (!look->config) return damaged("It cannot be parsed: " + look->config_complaint + ".");
  if (!look->config->number("core.repositoryformatversion")) return damaged("It does not name a repository format.");
  if (look->config->flag("core.bare")) return damaged("It says that there is no work tree.");
  survey_remote(scene, *look->config, path, findings);
}

void survey_alternates(const Scene& scene, Findings& findings) {
  const fs::path path = scene.git_folder / "objects" / "info" / "alternates";
  const auto contents = contents_of(path);
  if (!contents || contents->empty()) return;
  const auto folders = alternates_of(scene.git_folder);
  bool damaged = folders.empty();
  std::error_code error;
  for (const fs::path& folder : folders) {
    if (!fs::is_directory(folder, error)) {
      damaged = true;
      continue;
    }
    const auto there = stat_of(folder);
    const auto own = stat_of(scene.git_folder);
    const bool elsewhere = there && own && there->st_dev != own->st_dev;
    findings.push_back(make_finding(
        kBorrowedObjects, where_of(scene, path),
        fmt::format("Objects are borrowed from {}{}.", folder.string(), elsewhere ? ", on another disk" : "")));
  }
  if (contents->find('\0') != std::string::npos) damaged = true;
  if (!damaged) return;
  findings.push_back(make_finding(kAlternatesDamaged, where_of(scene, path), "It names a folder that is not there."));
}

void survey_shallow(const Scene& scene, Findings& findings) {
  const fs::path path = scene.git_folder / "shallow";
  if (!is_file(path)) return;
  const auto contents = contents_of(path).value_or(std::string());
  std::size_t start = 0;
  bool damaged = contents.empty();
  while (start < contents.size() && !damaged) {
    const std::size_t end = contents.find('\n', start);
    damaged = end == std::string::npos || !id_of(std::string_view(contents).substr(start, end - start));
    start = end + 1;
  }
  if (damaged) {
    findings.push_back(make_finding(kShallowDamaged, where_of(scene, path), "It does not hold a list of commits."));
  }
}

void survey_grafts(const Scene& scene, Findings& findings) {
  const fs::path path = scene.git_folder / "info" / "grafts";
  const auto contents = contents_of(path);
  const auto look = look_at(scene);
  if (!contents || !look->history) return;
  const Grafts grafts = parse_grafts(*contents);
  const auto gone = [&](const git_oid& id) { return !look->history->has(id); };
  if (grafts.damaged || std::any_of(grafts.ids.begin(), grafts.ids.end(), gone)) {
    findings.push_back(
        make_finding(kGraftsDamaged, where_of(scene, path), "It names no commits, or such as are gone."));
  } else if (!grafts.ids.empty()) {
    findings.push_back(make_finding(kGrafts, where_of(scene, path), "Commits are given other parents than they name."));
  }
}

}  // namespace

bool survey_git_folder(const Scene& scene, Findings& findings) {
  survey_permissions(scene, findings);
  survey_forms(scene, findings);
  if (!is_folder(scene.git_folder / "objects")) {
    findings.push_back(make_finding(kObjectsFolderMissing, where_of(scene, scene.git_folder / "objects"),
                                    "The folder for objects is not there."));
  }
  if (!is_folder(scene.git_folder / "refs")) {
    findings.push_back(make_finding(kRefsFolderMissing, where_of(scene, scene.git_folder / "refs"),
                                    "The folder for references is not there."));
  }
  survey_head(scene, findings);
  survey_config(scene, findings);
  survey_alternates(scene, findings);
  survey_shallow(scene, findings);
  survey_grafts(scene, findings);
  return true;
}

}  // namespace checkout
