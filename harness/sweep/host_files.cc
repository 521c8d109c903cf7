#include "harness/sweep/host_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/unique_fd.h"

namespace sweep {

static std::int64_t nanoseconds(const timespec& time) {
  return time.tv_sec * 1'000'000'000LL + time.tv_nsec;
}

static SharedContent read_content(const std::string& path, const struct stat& status) {
  std::string text;
  if (S_ISLNK(status.st_mode)) {
    text.resize(4096);
    const ssize_t size = ::readlink(path.c_str(), text.data(), text.size());
    text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  } else {
    base::UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    text.resize(static_cast<std::size_t>(status.st_size));
    std::size_t filled = 0;
    while (file.valid() && filled < text.size()) {
      const ssize_t size = ::read(file.get(), text.data() + filled, text.size() - filled);
      if (size <= 0) break;
      filled += static_cast<std::size_t>(size);
    }
    text.resize(filled);
  }
  return text.empty() ? empty_content() : std::make_shared<const Content>(std::move(text));
}

static std::map<std::string, std::string> read_attributes(const std::string& path) {
  std::map<std::string, std::string> attributes;
  std::array<char, 4096> names;
  const ssize_t size = ::llistxattr(path.c_str(), names.data(), names.size());
  for (ssize_t at = 0; at < size;) {
    const std::string name = names.data() + at;
    at += static_cast<ssize_t>(name.size()) + 1;
    // Of the overlay's own notes only one says what is there.
    if (name.starts_with("user.overlay.") && name != "user.overlay.opaque") continue;
    std::array<char, 4096> value;
    const ssize_t length = ::lgetxattr(path.c_str(), name.c_str(), value.data(), value.size());
    if (length >= 0) attributes[name] = std::string(value.data(), static_cast<std::size_t>(length));
  }
  return attributes;
}

static Node describe(const std::string& path, const struct stat& status) {
  Node node;
  node.mode = status.st_mode;
  if (S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode)) node.device = status.st_rdev;
  if (!S_ISDIR(status.st_mode)) node.modified = nanoseconds(status.st_mtim);
  if (!S_ISLNK(status.st_mode)) node.attributes = read_attributes(path);
  return node;
}

std::optional<Node> HostReader::read(const std::string& host_path) const {
  struct stat status {};
  if (::lstat(host_path.c_str(), &status) != 0) return std::nullopt;
  Node node = describe(host_path, status);
  if (S_ISREG(status.st_mode) || S_ISLNK(status.st_mode)) node.content = read_content(host_path, status);
  return node;
}

NodeId HostReader::number(const std::string& host_path) {
  struct stat status {};
  if (::lstat(host_path.c_str(), &status) != 0) return 0;
  const auto [known, is_new] = numbers_.try_emplace({status.st_dev, status.st_ino}, next_);
  if (is_new) ++next_;
  return known->second;
}

NodeId HostReader::read_tree(const std::string& host_path, Image& image, const Image* known) {
  const NodeId id = number(host_path);
  struct stat status {};
  if (id == 0 || ::lstat(host_path.c_str(), &status) != 0 || image.find(id) != nullptr) return id;
  Node node = describe(host_path, status);
  if (S_ISREG(status.st_mode) || S_ISLNK(status.st_mode)) {
    const Node* before = known == nullptr ? nullptr : known->find(id);
    const bool same = before != nullptr && before->content && before->modified == node.modified &&
                      before->content->bytes.size() == static_cast<std::size_t>(status.st_size);
    node.content = same ? before->content : read_content(host_path, status);
  }
  image.put(id, std::move(node));
  if (!S_ISDIR(status.st_mode)) return id;
  DIR* folder = ::opendir(host_path.c_str());
  if (folder == nullptr) return id;
  while (const dirent* entry = ::readdir(folder)) {
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    const NodeId child = read_tree(host_path + "/" + name, image, known);
    if (child != 0) image.find(id)->names[name] = child;
  }
  ::closedir(folder);
  return id;
}

namespace {

class TreeWriter {
 public:
  explicit TreeWriter(const Image& image) : image_(image) {}

  base::Result<void> write_names(NodeId folder, const std::string& path) {
    for (const auto& [name, child] : image_.find(folder)->names) {
      if (auto done = write(child, path + "/" + name); !done) return done;
    }
    return {};
  }

  base::Result<void> dress(const Node& node, const std::string& path) {
    for (const auto& [name, value] : node.attributes) {
      // Attributes of the overlay's own are set as any other; what the disk refuses was not on it.
      (void)::lsetxattr(path.c_str(), name.c_str(), value.data(), value.size(), 0);
    }
    if (!S_ISLNK(node.mode) && ::chmod(path.c_str(), node.mode & 07777) != 0)
      return base::fail(base::system_error(errno, "set the mode of", path));
    if (node.is_folder()) return {};
    const std::array<timespec, 2> times{timespec{node.modified / 1'000'000'000, node.modified % 1'000'000'000},
                                        timespec{node.modified / 1'000'000'000, node.modified % 1'000'000'000}};
    if (::utimensat(AT_FDCWD, path.c_str(), times.data(), AT_SYMLINK_NOFOLLOW) != 0)
      return base::fail(base::system_error(errno, "set the time of", path));
    return {};
  }

 private:
  base::Result<void> write(NodeId id, const std::string& path) {
    const Node* node = image_.find(id);
    if (node == nullptr) return {};
    if (node->is_folder()) {
      if (::mkdir(path.c_str(), 0700) != 0) return base::fail(base::system_error(errno, "create the folder", path));
      if (auto done = write_names(id, path); !done) return done;
      return dress(*node, path);
    }
    const auto [first, is_new] = written_.try_emplace(id, path);
    if (!is_new) {
      if (::link(first->second.c_str(), path.c_str()) == 0) return {};
      return base::fail(base::system_error(errno, "link", path));
    }
    if (S_ISLNK(node->mode)) {
      if (::symlink(node->content->bytes.c_str(), path.c_str()) != 0)
        return base::fail(base::system_error(errno, "create the link", path));
    } else if (node->is_file()) {
      base::UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
      const std::string& bytes = node->content->bytes;
      for (std::size_t done = 0; file.valid() && done < bytes.size();) {
        const ssize_t size = ::write(file.get(), bytes.data() + done, bytes.size() - done);
        if (size <= 0) return base::fail(base::system_error(errno, "write", path));
        done += static_cast<std::size_t>(size);
      }
      if (!file.valid()) return base::fail(base::system_error(errno, "create", path));
    } else if (::mknod(path.c_str(), node->mode, node->device) != 0) {
      return base::fail(base::system_error(errno, "create the special file", path));
    }
    return dress(*node, path);
  }

  const Image& image_;
  std::map<NodeId, std::string> written_;
};

}  // namespace

base::Result<void> write_tree(const Image& image, NodeId root, const std::string& host_path) {
  TreeWriter writer(image);
  if (auto done = writer.write_names(root, host_path); !done) return done;
  return writer.dress(*image.find(root), host_path);
}

base::Result<void> write_disks(const Image& image, const pod::Disks& disks) {
  for (const auto& view : disks.views()) {
    const auto root = image.roots().find(view.mount_path);
    if (root == image.roots().end()) continue;
    if (auto done = write_tree(image, root->second, view.host_path); !done) return done;
  }
  return {};
}

Image read_disks(const pod::Disks& disks, HostReader& reader, const Image* known) {
  Image image;
  for (const auto& view : disks.views())
    image.add_root(view.mount_path, reader.read_tree(view.host_path, image, known));
  return image;
}

}  // namespace sweep
