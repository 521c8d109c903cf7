#include "harness/faults/edits.h"

#include <fmt/format.h>

#include <filesystem>

#include "harness/faults/files.h"
#include "harness/faults/git_program.h"

namespace faults {

namespace fs = std::filesystem;
using base::Result;

static std::string_view describe(scenario::EditKind kind) {
  switch (kind) {
    case scenario::EditKind::kModify:
      return "local edit of";
    case scenario::EditKind::kUntracked:
      return "new file";
    case scenario::EditKind::kCommit:
      return "local commit of";
  }
  return "work on";
}

static base::Error cannot_edit(const fs::path& path, std::string detail, std::string remedy) {
  return base::Error{.code = base::ErrorCode::kNotFound,
                     .operation = "edit as the user",
                     .path = path.string(),
                     .system_errno = 0,
                     .detail = std::move(detail),
                     .remedy = std::move(remedy)};
}

// By git's plumbing, which touches this one path of the index: no other entry's remembered times change.
static Result<void> commit(const std::string& checkout, const std::string& path) {
  const auto git = [&](std::vector<std::string> arguments) -> Result<std::string> {
    arguments.insert(arguments.begin(), {"-C", checkout});
    auto said = run_git({.arguments = std::move(arguments), .input = {}, .environment = {}});
    while (said && !said->empty() && said->back() == '\n') said->pop_back();
    return said;
  };
  if (auto added = git({"update-index", "--add", "--", path}); !added) return base::fail(added.error());
  const auto tree = git({"write-tree"});
  if (!tree) return base::fail(tree.error());
  const std::string message = "Change " + path;
  const auto id = git({"commit-tree", *tree, "-p", "HEAD", "-m", message});
  if (!id) return base::fail(id.error());
  if (auto moved = git({"update-ref", "-m", "commit: " + message, "HEAD", *id}); !moved) {
    return base::fail(moved.error());
  }
  return {};
}

Result<pod::Precious> apply_user_edit(const std::string& checkout, const scenario::UserEdit& edit) {
  const fs::path file = fs::path(checkout) / edit.path;
  std::error_code error;
  if (!fs::is_directory(checkout, error)) {
    return base::fail(cannot_edit(checkout, "there is no checkout", "Let the edit happen after the checkout was made"));
  }
  if (edit.kind == scenario::EditKind::kModify && !fs::is_regular_file(file, error)) {
    return base::fail(cannot_edit(file, "there is no such file", "Use kind: untracked for a new file"));
  }
  if (edit.kind == scenario::EditKind::kUntracked && fs::exists(file, error)) {
    return base::fail(cannot_edit(file, "the file is there already", "Use kind: modify for it"));
  }
  if (auto written = write_file(file, edit.content); !written) return base::fail(written.error());
  if (edit.kind == scenario::EditKind::kCommit) {
    if (auto committed = commit(checkout, edit.path); !committed) return base::fail(committed.error());
  }
  return pod::Precious{
      .description = fmt::format("{} {}", describe(edit.kind), edit.path), .path = edit.path, .content = edit.content};
}

}  // namespace faults
