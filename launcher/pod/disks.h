// Which disk a path lies on, and what that disk outlives. Read from the mount table alone: no disk is touched.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace pod {

struct Mount {
  std::string path;
  std::string kind;  // the file system's type: "ext4", "overlay", "fuse.mfs"
  std::string source;
};

class Disks {
 public:
  static Disks read();
  static Disks parse(std::string_view mountinfo);

  const Mount* holding(const std::filesystem::path& path) const;
  bool is_mount_point(const std::filesystem::path& path) const;
  // It is still there when the pod has been recreated.
  bool survives(const std::filesystem::path& path) const;

  // The same after following links; where there is no mount table, the file system itself is asked. It touches the
  // disk, which may hang.
  bool survives_when_asked(const std::filesystem::path& path) const;
  // Other hosts can have it mounted at the same time.
  bool shared(const std::filesystem::path& path) const;
  // Mount points that hold folders of a user's and are still there when the pod has been recreated.
  std::vector<std::string> surviving_folders() const;
  // The platform's volume: where it is mounted, the outermost first; empty where there is none.
  std::string volume() const;

 private:
  std::vector<Mount> mounts_;
};

}  // namespace pod
