#include "launcher/pod/disks.h"

#include <linux/magic.h>
#include <sys/statfs.h>

#include <algorithm>
#include <set>
#include <sstream>

#include "launcher/base/files.h"

namespace pod {

namespace fs = std::filesystem;

// The mount table writes blanks and their like as \040.
static std::string unescape(const std::string& text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && text.find_first_not_of("01234567", i + 1) >= i + 4) {
      plain += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

Disks Disks::parse(std::string_view mountinfo) {
  Disks disks;
  std::istringstream lines{std::string(mountinfo)};
  for (std::string line; std::getline(lines, line);) {
    // id parent major:minor root PATH options… - KIND SOURCE options
    const std::size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    std::istringstream before(line.substr(0, dash)), after(line.substr(dash + 3));
    std::string skipped;
    Mount mount;
    before >> skipped >> skipped >> skipped >> skipped >> mount.path;
    after >> mount.kind >> mount.source;
    if (mount.path.empty()) continue;
    mount.path = unescape(mount.path);
    disks.mounts_.push_back(std::move(mount));
  }
  return disks;
}

Disks Disks::read() {
  const auto table = base::read_file("/proc/self/mountinfo", 4U << 20);
  return table ? parse(*table) : Disks();
}

static bool contains(const std::string& folder, const std::string& path) {
  return folder == "/" || path == folder || path.starts_with(folder + "/");
}

const Mount* Disks::holding(const fs::path& path) const {
  const std::string plain = path.lexically_normal().string();
  const Mount* best = nullptr;
  for (const Mount& mount : mounts_) {
    // Of two mounts at one place the later one covers the other.
    if (contains(mount.path, plain) && (best == nullptr || mount.path.size() >= best->path.size())) best = &mount;
  }
  return best;
}

bool Disks::is_mount_point(const fs::path& path) const {
  const Mount* mount = holding(path);
  return mount != nullptr && mount->path == path.lexically_normal().string();
}

// Where container engines mount files and devices of their own.
static constexpr const char* kEngineFolders[] = {"/etc", "/proc", "/sys",   "/dev", "/run",
                                                 "/usr", "/lib",  "/lib64", "/bin", "/sbin"};

bool Disks::survives(const fs::path& path) const {
  static const std::set<std::string> kLost = {"overlay", "aufs",           "tmpfs",
                                              "ramfs",   "fuse-overlayfs", "fuse.fuse-overlayfs"};
  const Mount* mount = holding(path);
  return mount != nullptr && !kLost.contains(mount->kind);
}

bool Disks::survives_when_asked(const fs::path& path) const {
  std::error_code code;
  const fs::path real = fs::weakly_canonical(path, code);
  if (code) return survives(path);
  if (!mounts_.empty()) return survives(real);
  fs::path there = real;
  while (there.has_relative_path() && !fs::exists(there, code)) there = there.parent_path();
  struct statfs disk {};
  if (::statfs(there.c_str(), &disk) != 0) return false;
  const auto kind = static_cast<unsigned long>(disk.f_type);
  return kind != OVERLAYFS_SUPER_MAGIC && kind != TMPFS_MAGIC && kind != RAMFS_MAGIC;
}

bool Disks::shared(const fs::path& path) const {
  static const std::set<std::string> kNetwork = {"nfs", "nfs4",     "cifs",      "smb3",   "ceph", "lustre",
                                                 "9p",  "virtiofs", "glusterfs", "beegfs", "gpfs"};
  const Mount* mount = holding(path);
  return mount != nullptr && (kNetwork.contains(mount->kind) || (mount->kind.starts_with("fuse") && survives(path)));
}

std::vector<std::string> Disks::surviving_folders() const {
  // Of the kernel, or of the engine: nobody keeps files there.
  static const std::set<std::string> kernel = {
      "proc", "sysfs",   "cgroup",    "cgroup2", "devpts", "mqueue", "devtmpfs", "securityfs", "debugfs",  "tracefs",
      "bpf",  "fusectl", "hugetlbfs", "nsfs",    "pstore", "ramfs",  "efivarfs", "configfs",   "squashfs", "iso9660"};
  std::vector<std::string> folders;
  for (const Mount& mount : mounts_) {
    const bool engine = std::any_of(std::begin(kEngineFolders), std::end(kEngineFolders),
                                    [&](const char* folder) { return contains(folder, mount.path); });
    if (mount.path != "/" && !engine && !kernel.contains(mount.kind) && survives(mount.path))
      folders.push_back(mount.path);
  }
  return folders;
}

std::string Disks::volume() const {
  std::vector<std::string> candidates;
  for (const Mount& mount : mounts_) {
    const bool in_place = contains("/workspace", mount.path) || mount.path == "/runpod-volume";
    if (in_place && survives(mount.path)) candidates.push_back(mount.path);
  }
  const auto best =
      std::min_element(candidates.begin(), candidates.end(), [](const std::string& left, const std::string& right) {
        return std::pair(left.size(), left) < std::pair(right.size(), right);
      });
  return best == candidates.end() ? "" : *best;
}

}  // namespace pod
