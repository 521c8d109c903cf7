// The disks of a simulated pod: a container disk (the image's folders with a layer of changes over them, and fresh
// folders where an image has its own) and the volumes. Each is a tmpfs of its own size, so a full disk is really full.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "harness/pod/record.h"
#include "harness/scenario/scenario.h"

namespace pod {

// A folder of the host that the pod sees through a layer of its own.
struct Layer {
  std::string name;   // "usr"
  std::string lower;  // "/usr"
  std::string upper;
  std::string work;
  std::string image;  // a folder whose content the image adds to `lower`; need not exist
};

class Disks {
 public:
  // `folder` lies on the world's tmpfs. Creates the volumes and the first container disk. `image` holds what the image
  // has besides the machine's own programs, under its path in the pod; it is shared, never written.
  static base::Result<Disks> create(std::string folder, const std::vector<scenario::Disk>& disks, std::string image);
  // The same disks with nothing on them, for someone who fills them.
  static base::Result<Disks> create_empty(std::string folder, const std::vector<scenario::Disk>& disks,
                                          std::string image);

  // A new container disk, as a recreated pod gets one. The old one is gone.
  base::Result<void> renew_container();

  // Where the simulator finds what the pod calls `path`. For folders of the image: in the pod's layer over them.
  std::string host_path(const std::string& path) const;
  // The disk that holds `path`; the container disk where no volume does.
  scenario::DiskKind kind_of(const std::string& path) const;

  const std::string& container_root() const { return container_root_; }
  const std::vector<Layer>& layers() const { return layers_; }
  const std::vector<DiskView>& volumes() const { return volumes_; }
  std::vector<DiskView> views() const;

 private:
  static base::Result<Disks> mount_volumes(std::string folder, const std::vector<scenario::Disk>& disks,
                                           std::string image);
  base::Result<void> mount_container();
  base::Result<void> lay_layers(bool with_places);  // with what stands in the container's root for them
  base::Result<void> furnish_container();

  std::string folder_;
  std::string image_;
  int container_number_ = 0;
  std::string container_;       // mount point of the container disk
  std::string container_root_;  // what becomes "/" of the pod
  std::vector<Layer> layers_;
  std::vector<DiskView> volumes_;
};

// Writes a file, with its folders. `mode` as for chmod.
base::Result<void> place_file(const std::string& path, const std::string& content, unsigned mode = 0644);

}  // namespace pod
