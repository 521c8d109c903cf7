#include "harness/sweep/image.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cstring>

namespace sweep {

std::uint64_t mix(std::uint64_t seed, std::uint64_t value) {
  std::uint64_t result = (seed ^ value) * 0x9e3779b97f4a7c15ULL;
  result ^= result >> 29;
  result *= 0xbf58476d1ce4e5b9ULL;
  return result ^ (result >> 32);
}

std::uint64_t digest_of(std::string_view text) {
  std::uint64_t result = text.size();
  for (; text.size() >= 8; text.remove_prefix(8)) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data(), 8);
    result = mix(result, word);
  }
  std::uint64_t word = 0;
  std::memcpy(&word, text.data(), text.size());
  return mix(result, word);
}

Content::Content(std::string text) : bytes(std::move(text)), digest(digest_of(bytes)) {}

SharedContent empty_content() {
  static const auto empty = std::make_shared<const Content>("");
  return empty;
}

bool Node::is_folder() const {
  return S_ISDIR(mode);
}

bool Node::is_file() const {
  return S_ISREG(mode);
}

Node* Image::find(NodeId id) {
  const auto found = nodes_.find(id);
  return found == nodes_.end() ? nullptr : &found->second;
}

const Node* Image::find(NodeId id) const {
  const auto found = nodes_.find(id);
  return found == nodes_.end() ? nullptr : &found->second;
}

static bool lies_in(std::string_view path, std::string_view folder) {
  return folder == "/" || path == folder || (path.starts_with(folder) && path[folder.size()] == '/');
}

std::string Image::root_of(std::string_view path) const {
  std::string longest;
  for (const auto& [mount, root] : roots_) {
    if (mount.size() > longest.size() && lies_in(path, mount)) longest = mount;
  }
  return longest;
}

NodeId Image::look_up(const Place& place) const {
  const Node* folder = find(place.folder);
  if (folder == nullptr) return 0;
  const auto found = folder->names.find(place.name);
  return found == folder->names.end() ? 0 : found->second;
}

NodeId Image::look_up(std::string_view path) const {
  const std::string mount = root_of(path);
  if (mount.empty()) return 0;
  NodeId at = roots_.at(mount);
  path.remove_prefix(mount == "/" ? 0 : mount.size());
  while (!path.empty()) {
    if (path.front() == '/') {
      path.remove_prefix(1);
      continue;
    }
    const auto slash = path.find('/');
    at = look_up(Place{at, std::string(path.substr(0, slash))});
    if (at == 0) return 0;
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash);
  }
  return at;
}

std::optional<std::string> Image::path_of(NodeId id) const {
  for (const auto& [mount, root] : roots_) {
    std::vector<std::pair<NodeId, std::string>> pending{{root, mount == "/" ? "" : mount}};
    while (!pending.empty()) {
      const auto [at, path] = pending.back();
      pending.pop_back();
      if (at == id) return path;
      const Node* node = find(at);
      if (node == nullptr) continue;
      for (const auto& [name, child] : node->names) pending.emplace_back(child, path + "/" + name);
    }
  }
  return std::nullopt;
}

std::optional<Place> Image::place_of(std::string_view path) const {
  const auto slash = path.rfind('/');
  if (slash == std::string_view::npos || roots_.contains(std::string(path))) return std::nullopt;
  const std::string_view folder = path.substr(0, slash);
  // The root of a layer or volume is entered by its own path.
  const NodeId id = look_up(folder.empty() ? "/" : folder);
  if (id == 0) return std::nullopt;
  return Place{id, std::string(path.substr(slash + 1))};
}

namespace {

// Numbers the files in the order in which a walk meets them, so that inode numbers themselves do not count.
class Digester {
 public:
  explicit Digester(const Image& image) : image_(image) {}

  std::uint64_t of(NodeId id) {
    const auto [known, is_new] = seen_.try_emplace(id, seen_.size() + 1);
    if (!is_new) return known->second;
    const Node* node = image_.find(id);
    if (node == nullptr) return 0;
    std::uint64_t result = mix(node->mode, node->device);
    if (node->content) result = mix(result, node->content->digest);
    if (!node->is_folder()) result = mix(result, static_cast<std::uint64_t>(node->modified));
    for (const auto& [name, value] : node->attributes) result = mix(mix(result, digest_of(name)), digest_of(value));
    for (const auto& [name, child] : node->names) result = mix(mix(result, digest_of(name)), of(child));
    return result;
  }

 private:
  const Image& image_;
  std::map<NodeId, std::uint64_t> seen_;
};

std::optional<std::string> compare(const Image& one, NodeId first, const Image& other, NodeId second,
                                   const std::string& path) {
  const Node* left = one.find(first);
  const Node* right = other.find(second);
  if (left == nullptr || right == nullptr) return path + ": there in one only";
  if (left->mode != right->mode) return fmt::format("{}: mode {:o} and {:o}", path, left->mode, right->mode);
  if (left->device != right->device) return path + ": another device";
  if ((left->content ? left->content->bytes : "") != (right->content ? right->content->bytes : "")) {
    return fmt::format("{}: {} and {} bytes that differ", path, left->content ? left->content->bytes.size() : 0,
                       right->content ? right->content->bytes.size() : 0);
  }
  if (left->attributes != right->attributes) return path + ": other extended attributes";
  for (const auto& [name, child] : left->names) {
    const auto found = right->names.find(name);
    if (found == right->names.end()) return path + "/" + name + ": in the first only";
    if (auto difference = compare(one, child, other, found->second, path + "/" + name)) return difference;
  }
  for (const auto& [name, child] : right->names) {
    if (!left->names.contains(name)) return path + "/" + name + ": in the second only";
  }
  return std::nullopt;
}

}  // namespace

std::uint64_t Image::digest() const {
  Digester digester(*this);
  std::uint64_t result = 0;
  for (const auto& [mount, root] : roots_) result = mix(mix(result, digest_of(mount)), digester.of(root));
  return result;
}

std::optional<std::string> Image::difference(const Image& other) const {
  for (const auto& [mount, root] : roots_) {
    const auto found = other.roots_.find(mount);
    if (found == other.roots_.end()) return mount + ": a disk of the first only";
    if (auto difference = compare(*this, root, other, found->second, mount == "/" ? "" : mount)) return difference;
  }
  return std::nullopt;
}

}  // namespace sweep
