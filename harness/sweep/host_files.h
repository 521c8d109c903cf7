// Images read from and written to folders of this machine.
#pragma once

#include <map>
#include <string>

#include "base/result.h"
#include "harness/pod/disks.h"
#include "harness/sweep/image.h"

namespace sweep {

// Reads files, and remembers which inode of this machine is which node: the same file keeps its node for as long as it
// exists.
class HostReader {
 public:
  // What lies at `host_path`, without what is below it; nothing when there is none.
  std::optional<Node> read(const std::string& host_path) const;
  // The node of the file there, a new number for one that was not seen before; 0 when there is none.
  NodeId number(const std::string& host_path);
  // Reads a whole tree into the image and returns its root. What is unchanged in `known`, by size and time, is taken
  // from there.
  NodeId read_tree(const std::string& host_path, Image& image, const Image* known = nullptr);

 private:
  std::map<std::pair<dev_t, ino_t>, NodeId> numbers_;
  NodeId next_ = 1;
};

// Writes what the image has below `root` into the folder, which exists and is empty.
base::Result<void> write_tree(const Image& image, NodeId root, const std::string& host_path);

// Every disk of the image, where the pod's disks have it.
base::Result<void> write_disks(const Image& image, const pod::Disks& disks);
Image read_disks(const pod::Disks& disks, HostReader& reader, const Image* known = nullptr);

}  // namespace sweep
