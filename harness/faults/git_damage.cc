#include "harness/faults/git_damage.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <vector>

#include "harness/faults/files.h"
#include "harness/faults/git_program.h"
#include "harness/scenario/names.h"

namespace faults {

namespace fs = std::filesystem;
using base::Result;

static base::Error nothing_to_damage(const std::string& what, const fs::path& path) {
  return base::Error{.code = base::ErrorCode::kNotFound,
                     .operation = "damage " + what,
                     .path = path.string(),
                     .system_errno = 0,
                     .detail = "it is not there",
                     .remedy = "Let the damage happen at a moment when the checkout is complete"};
}

static Result<void> remove_whole(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) return base::fail(base::system_error(error.value(), "remove", path.string()));
  return {};
}

static Result<std::string> git_in(const fs::path& git_folder, std::vector<std::string> arguments,
                                  std::string input = {}) {
  return run_git({.arguments = std::move(arguments),
                  .input = std::move(input),
                  .environment = {{"GIT_DIR", git_folder.string()}}});
}

// A git that was killed while it wrote the index.
static Result<void> leave_index_lock(const fs::path& git_folder) {
  return write_file(git_folder / "index.lock", "");
}

static std::string strip_line(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

// Objects that came in a pack are written out one by one, as if they had been made here; an empty file beside a good
// copy in a pack would hurt nobody.
static Result<void> explode_packs(const fs::path& git_folder) {
  const fs::path folder = git_folder / "objects/pack";
  std::vector<fs::path> packs;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".pack") packs.push_back(entry.path());
  }
  std::sort(packs.begin(), packs.end());
  std::vector<std::string> contents;
  for (const fs::path& pack : packs) {
    auto content = read_file(pack);
    if (!content) return base::fail(content.error());
    contents.push_back(std::move(*content));
  }
  // Git skips an object that it knows already, so the packs have to be gone before.
  if (auto removed = remove_whole(folder); !removed) return removed;
  fs::create_directories(folder, error);
  for (std::string& content : contents) {
    auto unpacked = git_in(git_folder, {"unpack-objects", "-q"}, std::move(content));
    if (!unpacked) return base::fail(unpacked.error());
  }
  return {};
}

// A power cut after the newest commit arrived: its object has a name and no content.
static Result<void> empty_newest_object(const fs::path& git_folder) {
  const auto id = git_in(git_folder, {"rev-parse", "--verify", "HEAD"});
  if (!id) return base::fail(id.error());
  if (auto exploded = explode_packs(git_folder); !exploded) return exploded;
  const std::string name = strip_line(*id);
  const fs::path object = git_folder / "objects" / name.substr(0, 2) / name.substr(2);
  std::error_code error;
  if (!fs::exists(object, error)) return base::fail(nothing_to_damage("the object of HEAD", object));
  fs::permissions(object, fs::perms::owner_write, fs::perm_options::add, error);
  auto emptied = write_file(object, "");
  fs::permissions(object, fs::perms::owner_write, fs::perm_options::remove, error);
  return emptied;
}

static Result<void> empty_branch_ref(const fs::path& git_folder) {
  const auto head = read_file(git_folder / "HEAD");
  if (!head) return base::fail(head.error());
  const std::string prefix = "ref: ";
  if (!head->starts_with(prefix))
    return base::fail(nothing_to_damage("the branch that HEAD names", git_folder / "HEAD"));
  return write_file(git_folder / strip_line(head->substr(prefix.size())), "");
}

static Result<void> zero_index(const fs::path& git_folder) {
  const fs::path index = git_folder / "index";
  const auto content = read_file(index);
  if (!content) return base::fail(nothing_to_damage("the index", index));
  return write_file(index, std::string(content->size(), '\0'));
}

static Result<void> remove_head(const fs::path& git_folder) {
  return remove_whole(git_folder / "HEAD");
}

static Result<void> remove_git_folder(const fs::path& git_folder) {
  return remove_whole(git_folder);
}

Result<void> apply_damage(const std::string& checkout, const std::string& kind) {
  static const std::map<std::string, std::function<Result<void>(const fs::path&)>> damages{
      {"index-lock", leave_index_lock},       {"empty-loose-object", empty_newest_object},
      {"empty-branch-ref", empty_branch_ref}, {"zeroed-index", zero_index},
      {"missing-head", remove_head},          {"git-gone", remove_git_folder}};
  const auto damage = damages.find(kind);
  if (damage == damages.end()) {
    return base::fail(base::invalid_input(fmt::format("\"{}\" is no known damage", kind),
                                          scenario::suggest(kind, scenario::damage_names())));
  }
  const fs::path git_folder = fs::path(checkout) / ".git";
  std::error_code error;
  if (!fs::is_directory(git_folder, error)) return base::fail(nothing_to_damage("the git folder", git_folder));
  return damage->second(git_folder);
}

}  // namespace faults
