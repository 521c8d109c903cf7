#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "harness/oracle/pod_files.h"
#include "harness/oracle/promises.h"
#include "harness/oracle/repository.h"
#include "harness/oracle/words.h"

// Every piece of the user's work must lie somewhere on the disks that are left: as a file, inside a larger file (a
// rescue may have bundled or appended it), or in a repository, reachable from a reference or the index. Where it lies
// does not matter: in place, under a rescue reference, in quarantine. An object that nothing leads to does not count:
// the next garbage collection takes it. Nor does, in the checkout, one that only a reflog leads to: no branch shows it,
// and the same collection takes it 30 days later. In quarantine nothing is ever collected, and there a reflog does.
//
// What could not be read might hold the work. Then nothing is called lost; the verdict is "unknown".

namespace oracle {

namespace fs = std::filesystem;

namespace {

constexpr auto oracle_name = "work-preserved";

using Pieces = std::vector<const pod::Precious*>;

std::size_t smallest(const Pieces& pieces) {
  std::size_t size = std::string::npos;
  for (const auto* piece : pieces) size = std::min(size, piece->content.size());
  return size;
}

void strike_out_found(Pieces& pieces, const std::string& content) {
  std::erase_if(pieces, [&](const pod::Precious* piece) { return content.find(piece->content) != std::string::npos; });
}

struct Search {
  Pieces missing;
  std::vector<std::string> not_seen;  // what could not be looked at, with the reason
};

// `checkout` is the repository that is in use, where reflogs do not last; empty: they count everywhere.
Search search_disks(const pod::WorldRecord& record, const std::optional<fs::path>& checkout) {
  Search search;
  for (const auto& piece : record.precious) search.missing.push_back(&piece);
  std::vector<fs::path> git_folders;
  std::vector<fs::path> bundles;
  const auto gaps = walk_disks(record, [&](const fs::directory_entry& entry) {
    if (search.missing.empty()) return;
    std::error_code error;
    if (entry.is_directory(error)) {
      if (looks_like_git_folder(entry.path())) git_folders.push_back(entry.path());
      return;
    }
    if (looks_like_bundle(entry.path())) bundles.push_back(entry.path());
    if (entry.file_size(error) < smallest(search.missing)) return;
    if (const auto content = read_file(entry.path())) {
      strike_out_found(search.missing, *content);
    } else {
      search.not_seen.push_back(entry.path().string() + " cannot be read");
    }
  });
  if (gaps.unreadable_count > 0) search.not_seen.push_back(gaps.first + " cannot be listed");
  for (const auto& folder : git_folders) {
    if (search.missing.empty()) break;
    const auto reflogs = checkout && folder == *checkout / ".git" ? Reflogs::kDoNotCount : Reflogs::kCount;
    const auto visited =
        visit_reachable_blobs(folder, reflogs, smallest(search.missing),
                              [&](const std::string& content) { strike_out_found(search.missing, content); });
    if (!visited) search.not_seen.push_back(folder.string() + ": " + visited.error().message());
  }
  for (const auto& bundle : bundles) {
    if (search.missing.empty() || record.upstream_path.empty()) break;
    const auto visited =
        visit_bundled_blobs(bundle, record.upstream_path, smallest(search.missing),
                            [&](const std::string& content) { strike_out_found(search.missing, content); });
    if (!visited) search.not_seen.push_back(bundle.string() + ": " + visited.error().message());
  }
  return search;
}

// Edits are named by their path in the checkout, files of the scenario by their path in the pod.
std::string path_in_pod(const scenario::Scenario& scenario, const pod::Precious& piece) {
  return piece.path.starts_with('/') ? piece.path : scenario.start.checkout + "/" + piece.path;
}

// When somebody who looks for the culprit should look.
std::string last_changed(const pod::WorldRecord& record, const std::string& piece_path) {
  for (auto boot = record.boots.rbegin(); boot != record.boots.rend(); ++boot) {
    const bool changed = std::any_of(boot->trace.changed.begin(), boot->trace.changed.end(),
                                     [&](const std::string& path) { return lies_within(piece_path, path); });
    if (changed)
      return fmt::format("; boot {}, which began at {}, was the last to change that path", boot->number,
                         clock_text(boot->start));
  }
  return "";
}

Verdict check(const scenario::Scenario& scenario, const pod::WorldRecord& record) {
  if (record.precious.empty()) {
    return {oracle_name, Status::kNotApplicable, "the user had nothing on the disks that could be lost", false, {}};
  }
  const auto pieces = count_text(record.precious.size(), "piece");
  const auto [missing, not_seen] = search_disks(record, host_path(record, scenario.start.checkout));
  if (missing.empty()) {
    return {oracle_name, Status::kPass, fmt::format("all the user's work is there ({})", pieces), false, {}};
  }
  std::string lost;
  for (const auto* piece : missing) {
    const auto path = path_in_pod(scenario, *piece);
    lost += fmt::format("{}{} ({}{})", lost.empty() ? "" : "; ", piece->description, path, last_changed(record, path));
  }
  if (!not_seen.empty()) {
    return {oracle_name, Status::kUnknown, fmt::format("not found: {}; but {}", lost, not_seen.front()), false, {}};
  }
  return {oracle_name,
          Status::kFail,
          fmt::format("lost, kept on no disk any more: {} ({} of {})", lost, missing.size(), pieces),
          false,
          {}};
}

}  // namespace

std::vector<bool> missing_work(const pod::WorldRecord& record) {
  const auto [missing, not_seen] = search_disks(record, std::nullopt);
  std::vector<bool> result;
  for (const auto& piece : record.precious)
    result.push_back(not_seen.empty() && std::ranges::count(missing, &piece) > 0);
  return result;
}

Oracle work_preserved() {
  return {oracle_name, "no work of the user's is lost", check};
}

}  // namespace oracle
