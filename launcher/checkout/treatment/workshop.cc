#include "launcher/checkout/treatment/workshop.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "base/unique_fd.h"

namespace checkout {
namespace {

bool holds_nothing(const fs::path& path) {
  const auto found = stat_of(path);
  if (!found) return true;
  std::error_code error;
  if (S_ISDIR(found->st_mode)) return fs::is_empty(path, error) && !error;
  if (!S_ISREG(found->st_mode)) return false;
  if (found->st_size == 0) return true;
  const auto contents = contents_of(path);
  return contents && only_zero_bytes(*contents);
}

}  // namespace

void Workshop::did(std::string sentence) {
  if (remote.say) remote.say(sentence);
  done.push_back(std::move(sentence));
}

void Workshop::warn(std::string sentence) {
  if (remote.say) remote.say(sentence);
  warnings.push_back(std::move(sentence));
}

base::Result<void> Workshop::put_away(const fs::path& path, std::string_view why) {
  if (is_nothing(path)) return {};
  if (holds_nothing(path)) {
    if (auto removed = remove_redundant(path); !removed) return removed;
    return sync_folder(path.parent_path());
  }
  const auto placed = folder.move_to_quarantine(path, where_of(scene, path), why);
  if (!placed) return base::fail(placed.error());
  return {};
}

base::Result<void> Workshop::keep_copy(const fs::path& path, std::string_view why) {
  if (holds_nothing(path)) return {};
  const auto placed = folder.copy_to_quarantine(path, where_of(scene, path), why);
  if (!placed) return base::fail(placed.error());
  return {};
}

base::Result<void> Workshop::write_ref(const std::string& name, const git_oid& id, std::string_view reason) {
  const fs::path path = in_git(name);
  if (!is_file(path) && !is_nothing(path)) {
    if (auto away = put_away(path, "it was in the way of a reference"); !away) return away;
  }
  const fs::path log = in_git(fs::path("logs") / name);
  const auto old = read_refs(scene.git_folder).resolve(name);
  if (auto written = folder.write_durably(path, hex_of(id) + "\n"); !written) return written;
  // The log's last line is what a lost reference is restored from, so it must follow every move.
  const Reflog known = parse_reflog(contents_of(log).value_or(std::string()));
  if (!is_file(log) || (!known.entries.empty() && git_oid_equal(&known.entries.back().after, &id) != 0)) return {};
  const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  const std::string line = fmt::format("{} {} podlaunch <podlaunch@localhost> {} +0000\tpodlaunch: {}\n",
                                       old ? hex_of(*old) : std::string(GIT_OID_HEXSZ, '0'), hex_of(id), now, reason);
  base::UniqueFd fd(::open(log.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  if (!fd.valid()) return base::fail(base::system_error(errno, "open", log));
  if (::write(fd.get(), line.data(), line.size()) < 0) return base::fail(base::system_error(errno, "write", log));
  if (::fsync(fd.get()) != 0) return base::fail(base::system_error(errno, "sync", log));
  return {};
}

base::Result<void> Workshop::write_head(const RefValue& value) {
  const fs::path path = in_git("HEAD");
  if (!is_file(path)) {
    if (auto away = put_away(path, "it was in HEAD's place"); !away) return away;
  }
  return folder.write_durably(path, value.id ? hex_of(*value.id) + "\n" : "ref: " + value.symbolic + "\n");
}

base::Result<void> Workshop::drop_packed_ref(const std::string& name) {
  const fs::path packed = in_git("packed-refs");
  if (const auto contents = contents_of(packed)) {
    std::string kept;
    bool dropping = false;
    for (std::size_t start = 0; start < contents->size();) {
      const std::size_t end = std::min(contents->find('\n', start), contents->size() - 1) + 1;
      const std::string line = contents->substr(start, end - start);
      start = end;
      if (!line.starts_with('^')) dropping = line.ends_with(" " + name + "\n");
      if (!dropping) kept += line;
    }
    if (kept != *contents) {
      if (auto written = folder.write_durably(packed, kept); !written) return written;
    }
  }
  return {};
}

base::Result<void> Workshop::forget_ref(const std::string& name) {
  if (auto dropped = drop_packed_ref(name); !dropped) return dropped;
  if (auto removed = remove_redundant(in_git(name)); !removed) return removed;
  return remove_redundant(in_git(fs::path("logs") / name));
}

base::Result<void> Workshop::drop_ref(const std::string& name, std::string_view why) {
  if (auto dropped = drop_packed_ref(name); !dropped) return dropped;
  if (auto away = put_away(in_git(name), why); !away) return away;
  return put_away(in_git(fs::path("logs") / name), why);
}

base::Result<std::string> Workshop::rescue_commit(const git_oid& id, const std::string& hint, const std::string& what) {
  std::string readable = hint;
  std::replace_if(
      readable.begin(), readable.end(),
      [](char c) { return !std::isalnum(static_cast<unsigned char>(c)) && c != '.' && c != '-'; }, '-');
  const std::string name = fmt::format("refs/podlaunch/rescue/{}-{}", readable, hex_of(id).substr(0, 12));
  if (!read_refs(scene.git_folder).refs.contains(name)) {
    if (auto written = write_ref(name, id, "rescued"); !written) return base::fail(written.error());
    rescued.push_back({what, name});
  }
  return name;
}

}  // namespace checkout
