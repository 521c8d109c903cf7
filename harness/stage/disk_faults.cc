#include "harness/stage/disk_faults.h"

#include <cerrno>

namespace stage {

int error_of(DiskFault fault, Touch touch) {
  const bool changes = touch != Touch::kLook && touch != Touch::kSync;
  switch (fault) {
    case DiskFault::kFull:
      return touch == Touch::kWrite || touch == Touch::kMakeFolder ? ENOSPC : 0;
    case DiskFault::kQuota:
      return touch == Touch::kWrite || touch == Touch::kMakeFolder || touch == Touch::kMakeFile ? EDQUOT : 0;
    case DiskFault::kReadOnly:
      return changes ? EROFS : 0;
    case DiskFault::kFailing:
      return EIO;
    case DiskFault::kHanging:
      break;
  }
  return 0;
}

static bool lies_in(const std::string& path, const std::string& folder) {
  return path == folder || folder == "/" || (path.starts_with(folder) && path[folder.size()] == '/');
}

std::optional<DiskFault> DiskFaults::at(const std::string& mount_path) const {
  const auto found = faults_.find(mount_path);
  return found == faults_.end() ? std::nullopt : std::optional(found->second);
}

std::string DiskFaults::disk_of(const std::string& path) const {
  // Descriptors of memory files look like paths, too.
  for (const char* of_the_kernel : {"/proc", "/sys", "/dev", "/memfd:"}) {
    if (path.starts_with(of_the_kernel)) return {};
  }
  std::string best;
  for (const std::string& mount : mount_paths_) {
    if (lies_in(path, mount) && mount.size() > best.size()) best = mount;
  }
  return best;
}

}  // namespace stage
