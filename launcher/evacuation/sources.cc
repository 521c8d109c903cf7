#include "launcher/evacuation/sources.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/text.h"
#include "launcher/base/glob.h"
#include "launcher/checkout/git/files.h"
#include "launcher/checkout/git/index_file.h"
#include "launcher/checkout/git/object_files.h"
#include "launcher/checkout/survey/survey.h"
#include "launcher/evacuation/bundle.h"

namespace evacuation {

namespace fs = std::filesystem;
using base::Result;
using checkout::Kind;
using checkout::kind_at;

namespace {

// Programs make these anew, and they can be larger than the disk that stays.
bool is_cache(const fs::path& folder) {
  static const std::set<std::string> names = {"__pycache__", ".pytest_cache", ".mypy_cache",
                                              ".ruff_cache", "node_modules",  ".ipynb_checkpoints"};
  const std::string name = folder.filename().string();
  return names.contains(name) || name.ends_with(".egg-info") || checkout::is_file(folder / "pyvenv.cfg");
}

class Search {
 public:
  explicit Search(const Request& request) : request_(request) {}

  Result<void> repository(const fs::path& work_tree, const fs::path& name, int nesting);
  Result<void> quarantine();
  Result<void> results(const Goes& goes);

  AtRisk take() { return std::move(found_); }

 private:
  Result<void> commits(const fs::path& git_folder, const fs::path& name);
  Result<void> work_files(const checkout::Scene& scene, const fs::path& name, int nesting);
  void staged(const checkout::Scene& scene, const fs::path& name, const checkout::FlatTree& head);
  Result<std::size_t> everything_below(const fs::path& folder, const fs::path& name);
  void one(const fs::path& path, const fs::path& name);
  Result<void> unreadable(const fs::path& path, const std::error_code& code) const {
    return base::fail(base::system_error(code.value(), "look for work that would be lost in", path.string()));
  }

  const Request& request_;
  AtRisk found_;
  std::set<fs::path> taken_;
};

void Search::one(const fs::path& path, const fs::path& name) {
  const Kind kind = kind_at(path);
  if ((kind != Kind::kFile && kind != Kind::kLink) || !taken_.insert(path).second) return;
  found_.sources.push_back({.kind = kind == Kind::kFile ? Source::Kind::kFile : Source::Kind::kLink,
                            .name = name,
                            .from = path,
                            .bytes = {}});
}

// How many were new.
Result<std::size_t> Search::everything_below(const fs::path& folder, const fs::path& name) {
  const std::size_t before = found_.sources.size();
  std::error_code code;
  for (fs::recursive_directory_iterator entry(folder, code), end; !code && entry != end; entry.increment(code))
    one(entry->path(), name / entry->path().lexically_relative(folder));
  if (code && code != std::errc::no_such_file_or_directory) return base::fail(unreadable(folder, code).error());
  return found_.sources.size() - before;
}

Result<void> Search::commits(const fs::path& git_folder, const fs::path& name) {
  const auto history = find_local_history(git_folder);
  if (!history || !history->whole) {
    // Not sure what is in there: all of it, then.
    const auto count = everything_below(git_folder, name / "git-folder");
    if (!count) return base::fail(count.error());
    if (*count > 0) found_.kept.push_back(fmt::format("the whole git folder {}", git_folder.string()));
  }
  if (!history || history->objects.empty()) return {};
  found_.sources.push_back({.kind = Source::Kind::kBundle,
                            .name = name / "commits.bundle",
                            .from = git_folder,
                            .bytes = identity_of(*history)});
  found_.kept.push_back(
      fmt::format("{} not upstream ({})", base::counted(history->commits, "commit"), history->tips.begin()->first));
  return {};
}

// Content that was added and is neither in the work tree any more nor committed.
void Search::staged(const checkout::Scene& scene, const fs::path& name, const checkout::FlatTree& head) {
  const auto index = checkout::read_index_file(scene.git_folder / "index");
  const auto history = checkout::History::open(scene.git_folder);
  if (!index || !history) return;
  std::size_t count = 0;
  for (const checkout::IndexEntry& entry : index->entries) {
    const auto committed = head.find(entry.path);
    if (committed != head.end() && git_oid_equal(&committed->second.id, &entry.id) != 0) continue;
    const auto in_place = checkout::raw_blob_id(scene.work_tree / entry.path);
    if (in_place && git_oid_equal(&*in_place, &entry.id) != 0) continue;
    auto object = history->read(entry.id);
    if (!object || object->type != GIT_OBJECT_BLOB) continue;
    found_.sources.push_back({.kind = Source::Kind::kBytes,
                              .name = name / "staged" / fmt::format("{}.{}", entry.path, entry.stage),
                              .from = {},
                              .bytes = std::move(object->bytes)});
    ++count;
  }
  if (count > 0) found_.kept.push_back(fmt::format("{} staged files", count));
}

Result<void> Search::work_files(const checkout::Scene& scene, const fs::path& name, int nesting) {
  checkout::FlatTree head;
  if (const auto history = checkout::History::open(scene.git_folder)) {
    const auto commit = checkout::head_commit(scene.git_folder);
    const auto tree = commit ? history->tree_of_commit(*commit) : std::nullopt;
    // Without it every file counts as changed, which keeps more than is needed.
    if (tree) head = checkout::flatten(*history, *tree).value_or(checkout::FlatTree());
  }
  const auto unchanged = [&](const fs::path& path, const std::string& relative) {
    const auto committed = head.find(relative);
    if (committed == head.end() || kind_at(path) != Kind::kFile) return false;
    const auto id = checkout::raw_blob_id(path);
    return id && git_oid_equal(&*id, &committed->second.id) != 0;
  };
  const std::size_t before = found_.sources.size();
  std::string example;
  std::error_code code;
  for (fs::recursive_directory_iterator entry(scene.work_tree, code), end; !code && entry != end;
       entry.increment(code)) {
    const fs::path& path = entry->path();
    const std::string relative = path.lexically_relative(scene.work_tree).string();
    const Kind kind = kind_at(path);
    if (path.filename() == ".git") {
      entry.disable_recursion_pending();
    } else if (kind == Kind::kFolder && is_cache(path)) {
      entry.disable_recursion_pending();
    } else if (kind == Kind::kFolder && kind_at(path / ".git") != Kind::kNothing) {
      entry.disable_recursion_pending();  // a submodule, or a repository that happens to lie here
      if (auto nested = repository(path, name / "repositories" / relative, nesting + 1); !nested) return nested;
    } else if (kind == Kind::kLink || (kind == Kind::kFile && !unchanged(path, relative))) {
      if (kind == Kind::kLink && head.contains(relative)) {
        const std::string target = fs::read_symlink(path, code).string();
        git_oid id;
        if (git_odb_hash(&id, target.data(), target.size(), GIT_OBJECT_BLOB) == 0 &&
            git_oid_equal(&id, &head[relative].id) != 0)
          continue;
      }
      if (example.empty()) example = relative;
      one(path, name / "files" / relative);
    }
  }
  if (code) return unreadable(scene.work_tree, code);
  const std::size_t count = found_.sources.size() - before;
  if (!example.empty())
    found_.kept.push_back(
        fmt::format("{} of the work tree, not committed ({})", base::counted(count, "file"), example));
  staged(scene, name, head);
  return {};
}

Result<void> Search::repository(const fs::path& work_tree, const fs::path& name, int nesting) {
  constexpr int nesting_max = 5;
  if (kind_at(work_tree) == Kind::kNothing) return {};
  const checkout::Scene scene = checkout::make_scene(work_tree);
  if (nesting > nesting_max || kind_at(scene.git_folder) != Kind::kFolder) {
    const auto count = everything_below(work_tree, name / "files");
    if (!count) return base::fail(count.error());
    if (*count > 0) found_.kept.push_back(fmt::format("{} in {}", base::counted(*count, "file"), work_tree.string()));
    return {};
  }
  if (auto done = commits(scene.git_folder, name); !done) return done;
  return work_files(scene, name, nesting);
}

Result<void> Search::quarantine() {
  const auto count = everything_below(request_.private_folder / "quarantine", "quarantine");
  if (!count) return base::fail(count.error());
  if (*count > 0) found_.kept.push_back(fmt::format("{} in quarantine", base::counted(*count, "file")));
  return {};
}

Result<void> Search::results(const Goes& goes) {
  std::size_t count = 0;
  std::string example;
  for (const std::string& pattern : request_.results) {
    for (const std::string& match : base::glob(pattern)) {
      if (!goes(match)) continue;
      const fs::path name = fs::path("results") / fs::path(match).relative_path();
      const std::size_t before = found_.sources.size();
      if (kind_at(match) == Kind::kFolder) {
        if (const auto below = everything_below(match, name); !below) return base::fail(below.error());
      } else {
        one(match, name);
      }
      count += found_.sources.size() - before;
      if (example.empty() && found_.sources.size() > before) example = match;
    }
  }
  if (count > 0) found_.kept.push_back(fmt::format("{} of results ({})", base::counted(count, "file"), example));
  return {};
}

}  // namespace

Result<AtRisk> find_sources(const Request& request, const Goes& goes) {
  checkout::start_library();
  Search search(request);
  // Results first: of what lies in the checkout, too, they are what people look for.
  if (auto done = search.results(goes); !done) return base::fail(done.error());
  if (goes(request.checkout)) {
    if (auto done = search.repository(request.checkout, "checkout", 0); !done) return base::fail(done.error());
  }
  if (goes(request.private_folder)) {
    if (auto done = search.quarantine(); !done) return base::fail(done.error());
  }
  AtRisk found = search.take();
  std::sort(found.sources.begin(), found.sources.end(),
            [](const Source& left, const Source& right) { return left.name < right.name; });
  return found;
}

}  // namespace evacuation
