#include "launcher/checkout/git/conversation_folder.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <vector>

namespace checkout {
namespace {

constexpr std::string_view kConfig =
    "[core]\n\trepositoryformatversion = 0\n\tbare = true\n\tlogallrefupdates = false\n";

base::Result<void> write_plainly(const fs::path& path, std::string_view text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (file) return {};
  return base::fail(base::system_error(errno, "write", path));
}

bool comes_from_remote(const std::string& name) {
  return name.starts_with("refs/remotes/origin/") || name.starts_with("refs/tags/");
}

// Packs before their indexes: an index without its pack would be damage.
int order_of(const fs::path& file) {
  return file.extension() == ".idx" ? 1 : 0;
}

base::Result<void> move_files(const fs::path& from, const fs::path& to) {
  std::error_code error;
  std::vector<fs::path> files;
  for (fs::directory_iterator entry(from, error), end; !error && entry != end; entry.increment(error)) {
    const bool leftover = entry->path().filename().string().starts_with("tmp_");
    if (!leftover && is_file(entry->path())) files.push_back(entry->path());
  }
  if (files.empty()) return {};
  if (auto made = make_folders(to); !made) return made;
  std::stable_sort(files.begin(), files.end(),
                   [](const fs::path& left, const fs::path& right) { return order_of(left) < order_of(right); });
  for (const fs::path& file : files) {
    const fs::path target = to / file.filename();
    // Named after what they hold; but an empty file in the way of an object is damage, and this mends it.
    const auto there = stat_of(target);
    if (there && S_ISREG(there->st_mode) && there->st_size > 0) continue;
    if (there && !S_ISREG(there->st_mode)) continue;
    if (::rename(file.c_str(), target.c_str()) != 0)
      return base::fail(base::system_error(errno, "bring home what was fetched", target));
  }
  return sync_folder(to);
}

}  // namespace

base::Result<void> make_empty_git_folder(const fs::path& place) {
  for (const char* folder : {"objects/info", "objects/pack", "refs"}) {
    if (auto made = make_folders(place / folder); !made) return made;
  }
  if (auto written = write_plainly(place / "config", kConfig); !written) return written;
  return write_plainly(place / "HEAD", "ref: refs/heads/none\n");
}

base::Result<ConversationFolder> ConversationFolder::make(const fs::path& place, const fs::path& git_folder) {
  if (auto made = make_empty_git_folder(place); !made) return base::fail(made.error());
  const auto history = History::open(git_folder);
  if (!history) return base::fail(history.error());
  const std::string objects = fs::absolute(git_folder / "objects").string();
  if (auto written = write_plainly(place / "objects/info/alternates", objects + "\n"); !written)
    return base::fail(written.error());
  std::string packed;
  const RefTable table = read_refs(git_folder);
  for (const auto& [name, value] : table.refs) {
    if (name.find_first_of(" \n") != std::string::npos || !value.id || !history->has(*value.id)) continue;
    packed += fmt::format("{} {}\n", hex_of(*value.id), name);
  }
  if (auto written = write_plainly(place / "packed-refs", packed); !written) return base::fail(written.error());
  if (const auto shallow = contents_of(git_folder / "shallow"); shallow && !shallow->empty()) {
    if (auto written = write_plainly(place / "shallow", *shallow); !written) return base::fail(written.error());
  }
  return ConversationFolder(place, git_folder);
}

base::Result<void> ConversationFolder::bring_objects_home() const {
  const fs::path from = path_ / "objects";
  const fs::path to = git_folder_ / "objects";
  std::error_code error;
  for (fs::directory_iterator entry(from, error), end; !error && entry != end; entry.increment(error)) {
    const fs::path name = entry->path().filename();
    if (name == "info" || !is_folder(entry->path())) continue;
    if (auto moved = move_files(entry->path(), to / name); !moved) return moved;
  }
  if (error) return base::fail(base::system_error(error.value(), "bring home what was fetched", from));
  const auto shallow = contents_of(path_ / "shallow");
  if (shallow == contents_of(git_folder_ / "shallow")) return {};
  if (shallow) return rename_durably(path_ / "shallow", git_folder_ / "shallow");
  return remove_redundant(git_folder_ / "shallow");  // the history was completed
}

std::map<std::string, git_oid> ConversationFolder::news() const {
  std::map<std::string, git_oid> news;
  const RefTable before = read_refs(git_folder_);
  for (const auto& [name, value] : read_refs(path_).refs) {
    if (!value.id || !comes_from_remote(name)) continue;
    const auto known = before.refs.find(name);
    const bool same = known != before.refs.end() && known->second.id && git_oid_equal(&*known->second.id, &*value.id);
    if (!same) news.emplace(name, *value.id);
  }
  return news;
}

}  // namespace checkout
