#include "harness/faults/upstream.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "harness/faults/files.h"
#include "harness/faults/git_program.h"

namespace faults {

namespace fs = std::filesystem;
using base::Result;

static std::string data(const std::string& content) {
  return fmt::format("data {}\n{}\n", content.size(), content);
}

// Paths are quoted as C strings, which serves for any name.
static std::string file_change(const std::string& path, const std::string& content, bool executable) {
  std::string quoted;
  for (const char letter : path) {
    if (letter == '"' || letter == '\\') quoted += '\\';
    quoted += letter;
  }
  return fmt::format("M {} inline \"{}\"\n{}", executable ? "100755" : "100644", quoted, data(content));
}

static std::string commit_header(const std::string& branch, std::int64_t when_seconds, const std::string& message) {
  return fmt::format("commit refs/heads/{}\ncommitter {}\n{}", branch, identity(when_seconds), data(message));
}

static Result<std::string> git_in(const fs::path& bare, std::vector<std::string> arguments, std::string input = {}) {
  return run_git(
      {.arguments = std::move(arguments), .input = std::move(input), .environment = {{"GIT_DIR", bare.string()}}});
}

static Result<void> import(const fs::path& bare, std::string stream) {
  auto imported = git_in(bare, {"fast-import", "--quiet", "--done"}, std::move(stream) + "done\n");
  if (!imported) return base::fail(imported.error());
  return {};
}

static Result<std::string> changes_of_folder(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::recursive_directory_iterator entry(folder, error), end; entry != end && !error; entry.increment(error)) {
    if (!entry->is_directory(error)) files.push_back(entry->path());
  }
  if (error) return base::fail(base::system_error(error.value(), "read the fixture", folder.string()));
  std::sort(files.begin(), files.end());
  std::string changes;
  for (const fs::path& file : files) {
    const auto content = read_file(file);
    if (!content) return base::fail(content.error());
    const bool executable = (fs::status(file, error).permissions() & fs::perms::owner_exec) != fs::perms::none;
    changes += file_change(file.lexically_relative(folder).string(), *content, executable);
  }
  return changes;
}

Result<void> make_upstream(const fs::path& bare, const fs::path& fixture, const std::string& branch,
                           std::int64_t epoch_seconds) {
  const auto changes = changes_of_folder(fixture);
  if (!changes) return base::fail(changes.error());
  std::error_code error;
  fs::create_directories(bare.parent_path(), error);
  if (error) return base::fail(base::system_error(error.value(), "make the folder", bare.parent_path().string()));
  const auto made =
      run_git({.arguments = {"init", "--quiet", "--bare", "--template=", "--initial-branch=" + branch, bare.string()},
               .input = {},
               .environment = {}});
  if (!made) return base::fail(made.error());
  return import(bare, commit_header(branch, epoch_seconds, "Start the project\n") + *changes);
}

Result<void> upstream_commit(const fs::path& bare, const std::string& branch, const std::string& path,
                             const std::string& content, std::int64_t when_seconds) {
  const auto count = git_in(bare, {"rev-list", "--count", "refs/heads/" + branch});
  if (!count) return base::fail(count.error());
  const int number = std::atoi(count->c_str()) + 1;
  const bool numbered = path.empty();
  // Executable files stay so: the tree says what they were.
  const auto entry = numbered ? Result<std::string>("") : git_in(bare, {"ls-tree", "refs/heads/" + branch, "--", path});
  if (!entry) return base::fail(entry.error());
  const std::string change = numbered ? file_change("upstream.txt", fmt::format("upstream commit {}\n", number), false)
                                      : file_change(path, content, entry->starts_with("100755"));
  return import(bare, commit_header(branch, when_seconds, fmt::format("Commit number {}\n", number)) +
                          fmt::format("from refs/heads/{}^0\n", branch) + change);
}

}  // namespace faults
