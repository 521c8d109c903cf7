// Disks that have failed, as the programs of the pod meet them.
//
// A disk fails at the entry of a call: the stage finds out which disk the call's path or descriptor lies on, and what
// the call would do there, and answers in the kernel's place, or keeps the caller waiting. The disk itself is left
// alone, so the simulator still reads it, and a fault that is over leaves nothing behind.
//
// Not seen: what goes through a mapping (a page that is read or written there), and descriptors that are closed.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace stage {

enum class DiskFault {
  kFull,      // ENOSPC for content and folders; names of files can still be made, as on ext4
  kQuota,     // EDQUOT for content and for every new name, as on network volumes
  kReadOnly,  // EROFS for every change; what is open for writing is told so at its next write
  kFailing,   // EIO, whatever is done
  kHanging,   // nothing comes back
};

// A place in the pod that can be made to hang like a disk, for what waits in a driver and cannot be killed.
inline constexpr const char* kDriverPlace = "/.simrun/driver";

// What a call does to the disk it reaches.
enum class Touch {
  kLook,        // reads, lists, opens what is there for reading
  kSync,        // asks for what was written to be durable
  kAlter,       // removes, renames, changes attributes, opens what is there for writing
  kWrite,       // needs room for content
  kMakeFile,    // a new name for a file or a link
  kMakeFolder,  // a new folder
};

// The errno that the call ends with; 0: the disk does it. Not for kHanging.
int error_of(DiskFault fault, Touch touch);

// The mount paths of the pod's disks, and what is wrong with which.
class DiskFaults {
 public:
  explicit DiskFaults(std::vector<std::string> mount_paths = {}) : mount_paths_(std::move(mount_paths)) {}

  void set(const std::string& mount_path, DiskFault fault) { faults_[mount_path] = fault; }
  void clear(const std::string& mount_path) { faults_.erase(mount_path); }
  bool any() const { return !faults_.empty(); }
  std::optional<DiskFault> at(const std::string& mount_path) const;

  // The disk that holds `path`, which is absolute and free of links; empty for what is the kernel's own.
  std::string disk_of(const std::string& path) const;

 private:
  std::vector<std::string> mount_paths_;
  std::map<std::string, DiskFault> faults_;
};

}  // namespace stage
