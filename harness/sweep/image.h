// What lies on the disks of a world at one moment, in memory: files by their inodes, so that two names of one file stay
// one file, and folders as lists of names.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sweep {

using NodeId = std::uint64_t;  // 0 is none

// The bytes of a file or the target of a link; shared between all images that hold them.
struct Content {
  explicit Content(std::string text);
  std::string bytes;
  std::uint64_t digest;
};
using SharedContent = std::shared_ptr<const Content>;

SharedContent empty_content();

struct Node {
  mode_t mode = 0;  // type and permissions
  dev_t device = 0;
  SharedContent content;
  std::int64_t modified = 0;  // nanoseconds since 1970, the simulator's own clock; not kept for folders
  std::map<std::string, std::string> attributes;
  std::map<std::string, NodeId> names;  // of a folder

  bool is_folder() const;
  bool is_file() const;
};

// A name: the folder that holds it, and what it is called there.
struct Place {
  NodeId folder = 0;
  std::string name;
  bool operator==(const Place&) const = default;
};

class Image {
 public:
  // The tree that a disk, or a layer over a folder of the image, mounts at `mount_path` in the pod.
  void add_root(const std::string& mount_path, NodeId root) { roots_[mount_path] = root; }
  const std::map<std::string, NodeId>& roots() const { return roots_; }

  Node* find(NodeId id);
  const Node* find(NodeId id) const;
  void put(NodeId id, Node node) { nodes_[id] = std::move(node); }

  // The mount path of the tree that a path of the pod lies in. Paths hold no links on their way.
  std::string root_of(std::string_view path) const;
  std::optional<Place> place_of(std::string_view path) const;  // nothing when its folder is not there
  NodeId look_up(std::string_view path) const;                 // 0 when it is not there
  NodeId look_up(const Place& place) const;
  std::optional<std::string> path_of(NodeId id) const;  // one of its names; a walk through everything

  // Of everything that can be reached by a name: paths, types, modes, bytes, attributes, times of files, and which
  // names share a file.
  std::uint64_t digest() const;
  // The first difference to another image, in words; nothing when they are the same but for times.
  std::optional<std::string> difference(const Image& other) const;

 private:
  std::map<std::string, NodeId> roots_;
  std::map<NodeId, Node> nodes_;
};

std::uint64_t mix(std::uint64_t seed, std::uint64_t value);
std::uint64_t digest_of(std::string_view text);

}  // namespace sweep
