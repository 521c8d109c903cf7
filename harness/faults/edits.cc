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
    case scenario::EditKind::kStash:
      return "stash of";
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

static Result<std::string> stripped(Result<std::string> said) {
  while (said && !said->empty() && said->back() == '\n') said->pop_back();
  return said;
}

// By git's plumbing, which touches this one path of the index: no other entry's remembered times change.
static Result<void> commit(const std::string& checkout, const std::string& path) {
  const auto git = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"-C", checkout});
    return stripped(run_git({.arguments = std::move(arguments), .input = {}, .environment = {}}));
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

// As `git stash push` would have it for this one path of HEAD, without touching work tree and index: no other entry's
// remembered times change.
static Result<void> stash(const std::string& checkout, const scenario::UserEdit& edit) {
  const fs::path index = fs::path(checkout) / ".git" / "index.of-a-stash";
  const auto git = [&](std::vector<std::string> arguments, std::string input = {}) {
    arguments.insert(arguments.begin(), {"-C", checkout});
    return stripped(run_git({.arguments = std::move(arguments),
                             .input = std::move(input),
                             .environment = {{"GIT_INDEX_FILE", index.string()}}}));
  };
  const auto blob = git({"hash-object", "-w", "--stdin"}, edit.content);
  if (!blob) return base::fail(blob.error());
  auto read = git({"read-tree", "HEAD"});
  if (!read) return base::fail(read.error());
  const auto before = git({"write-tree"});
  auto changed = git({"update-index", "--add", "--cacheinfo", "100644," + *blob + "," + edit.path});
  const auto after = git({"write-tree"});
  std::error_code ignored;  // git overwrites what is left
  fs::remove(index, ignored);
  if (!before || !changed || !after) return base::fail((!before ? before : !changed ? changed : after).error());
  const auto staged = git({"commit-tree", *before, "-p", "HEAD", "-m", "index on a branch"});
  if (!staged) return base::fail(staged.error());
  const auto made = git({"commit-tree", *after, "-p", "HEAD", "-p", *staged, "-m", "WIP on a branch"});
  if (!made) return base::fail(made.error());
  if (auto stored = git({"stash", "store", "-m", "WIP on a branch", *made}); !stored) return base::fail(stored.error());
  return {};
}

// What the user writes over with her own hand she does not miss, unless git was given it before.
static void forget_overwritten(const fs::path& file, const std::string& path, std::vector<pod::Precious>& work) {
  const auto there = read_file(file);
  if (!there) return;
  std::erase_if(work, [&](const pod::Precious& piece) {
    const bool here = piece.path == path || piece.path.ends_with("/" + path);
    return here && !piece.in_git && piece.content == *there;
  });
}

Result<void> apply_user_edit(const std::string& checkout, const scenario::UserEdit& edit,
                             std::vector<pod::Precious>& work) {
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
  pod::Precious piece{.description = fmt::format("{} {}", describe(edit.kind), edit.path),
                      .path = edit.path,
                      .content = edit.content,
                      .in_git = true};
  if (edit.kind == scenario::EditKind::kStash) {
    if (auto stashed = stash(checkout, edit); !stashed) return stashed;
    work.push_back(std::move(piece));
    return {};
  }
  forget_overwritten(file, edit.path, work);
  if (auto written = write_file(file, edit.content); !written) return base::fail(written.error());
  Result<void> committed;
  if (edit.kind == scenario::EditKind::kCommit) committed = commit(checkout, edit.path);
  // What git did not take lies in the work tree all the same.
  piece.in_git = edit.kind == scenario::EditKind::kCommit && committed.has_value();
  if (!committed) piece.description = fmt::format("{} {}", describe(scenario::EditKind::kUntracked), edit.path);
  work.push_back(std::move(piece));
  return committed;
}

}  // namespace faults
