#include "harness/oracle/pod_files.h"

#include <deque>
#include <fstream>
#include <iterator>
#include <set>
#include <system_error>

namespace oracle {

namespace fs = std::filesystem;

namespace {

constexpr int links_followed_max = 40;  // the kernel's own bound (ELOOP)

// The disk whose mount path is the longest one that holds the path.
const pod::DiskView* disk_of(const pod::WorldRecord& record, const std::string& pod_path) {
  const pod::DiskView* best = nullptr;
  for (const auto& disk : record.disks) {
    if (!lies_within(pod_path, disk.mount_path)) continue;
    if (best == nullptr || disk.mount_path.size() > best->mount_path.size()) best = &disk;
  }
  return best;
}

std::optional<fs::path> on_disk(const pod::WorldRecord& record, const fs::path& pod_path) {
  const auto* disk = disk_of(record, pod_path.string());
  if (disk == nullptr) return std::nullopt;
  const auto below = pod_path.lexically_relative(disk->mount_path);
  return below == "." ? fs::path(disk->host_path) : fs::path(disk->host_path) / below;
}

// Folders of a disk that the pod never sees, because another disk is mounted over them.
std::set<fs::path> mount_points_on(const pod::DiskView& disk, const pod::WorldRecord& record) {
  std::set<fs::path> folders;
  for (const auto& other : record.disks) {
    if (other.mount_path == disk.mount_path || !lies_within(other.mount_path, disk.mount_path)) continue;
    folders.insert(fs::path(disk.host_path) / fs::path(other.mount_path).lexically_relative(disk.mount_path));
  }
  return folders;
}

void prepend(std::deque<std::string>& parts, const fs::path& path) {
  std::deque<std::string> front;
  for (const auto& part : path) {
    if (part != "/" && part != "." && !part.empty()) front.push_back(part.string());
  }
  parts.insert(parts.begin(), front.begin(), front.end());
}

}  // namespace

bool lies_within(const std::string& path, const std::string& folder) {
  if (folder == "/") return path.starts_with('/');
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

std::optional<fs::path> host_path(const pod::WorldRecord& record, const std::string& pod_path) {
  std::deque<std::string> parts;
  prepend(parts, pod_path);
  fs::path reached = "/";
  int links_followed = 0;
  while (!parts.empty()) {
    const std::string part = parts.front();
    parts.pop_front();
    if (part == "..") {
      reached = reached.parent_path();
      continue;
    }
    const fs::path next = reached / part;
    const auto host = on_disk(record, next);
    if (!host) {  // above the mount points that are left
      reached = next;
      continue;
    }
    std::error_code not_a_link;
    const auto target = fs::read_symlink(*host, not_a_link);
    if (not_a_link) {
      reached = next;
      continue;
    }
    if (++links_followed > links_followed_max) return std::nullopt;
    if (target.is_absolute()) reached = "/";
    prepend(parts, target);
  }
  return on_disk(record, reached);
}

WalkGaps walk_disks(const pod::WorldRecord& record, const std::function<void(const fs::directory_entry&)>& visit) {
  WalkGaps gaps;
  for (const auto& disk : record.disks) {
    const auto covered = mount_points_on(disk, record);
    std::deque<fs::path> folders = {disk.host_path};
    while (!folders.empty()) {
      const fs::path folder = folders.front();
      folders.pop_front();
      std::error_code error;
      for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
        std::error_code ignored;  // an entry that cannot be looked at is neither file nor folder
        const auto type = entry->symlink_status(ignored).type();
        const bool is_folder = type == fs::file_type::directory && !covered.contains(entry->path());
        if (is_folder) folders.push_back(entry->path());
        if (is_folder || type == fs::file_type::regular) visit(*entry);
      }
      if (error && gaps.unreadable_count++ == 0) gaps.first = folder.string();
    }
  }
  return gaps;
}

std::optional<std::string> read_file(const fs::path& path) {
  std::error_code error;  // a stream opens folders, too, and throws when it is read
  if (fs::is_directory(path, error)) return std::nullopt;
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::string content{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (file.bad()) return std::nullopt;
  return content;
}

}  // namespace oracle
