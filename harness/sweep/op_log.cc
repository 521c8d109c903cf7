#include "harness/sweep/op_log.h"

#include <algorithm>

namespace sweep {

bool Op::changes_names() const {
  return kind == OpKind::kAppear || kind == OpKind::kLink || kind == OpKind::kRename || kind == OpKind::kRemove;
}

void write_bytes(Node& node, std::uint64_t offset, const std::string& bytes, std::int64_t modified) {
  std::string text = node.content ? node.content->bytes : std::string();
  text.resize(std::max<std::uint64_t>(text.size(), offset + bytes.size()), '\0');
  std::ranges::copy(bytes, text.begin() + static_cast<std::ptrdiff_t>(offset));
  node.content = std::make_shared<const Content>(std::move(text));
  node.modified = modified;
}

void set_size(Node& node, std::uint64_t size, std::int64_t modified) {
  std::string text = node.content ? node.content->bytes : std::string();
  text.resize(size, '\0');
  node.content = std::make_shared<const Content>(std::move(text));
  node.modified = modified;
}

static void give_name(Image& image, const Place& place, NodeId node) {
  if (Node* folder = image.find(place.folder)) folder->names[place.name] = node;
}

static void take_name(Image& image, const Place& place) {
  if (Node* folder = image.find(place.folder)) folder->names.erase(place.name);
}

void apply(const Op& op, Image& image) {
  Node* node = image.find(op.node);
  switch (op.kind) {
    case OpKind::kAppear:
      if (image.find(op.place.folder) == nullptr) return;
      image.put(op.node, op.made);
      return give_name(image, op.place, op.node);
    case OpKind::kLink:
      if (node != nullptr) give_name(image, op.place, op.node);
      return;
    case OpKind::kRename:
      if (node == nullptr || image.find(op.second.folder) == nullptr) return;
      if (image.look_up(op.place) == op.node) take_name(image, op.place);
      return give_name(image, op.second, op.node);
    case OpKind::kRemove:
      if (image.look_up(op.place) == op.node) take_name(image, op.place);
      return;
    case OpKind::kWrite:
      if (node != nullptr) write_bytes(*node, op.offset, op.bytes, op.modified);
      return;
    case OpKind::kTruncate:
      if (node != nullptr) set_size(*node, op.size, op.modified);
      return;
    case OpKind::kDress:
      if (node == nullptr) return;
      node->mode = op.made.mode;
      node->attributes = op.made.attributes;
      if (!node->is_folder()) node->modified = op.made.modified;
      return;
    case OpKind::kReplace:
      return image.put(op.node, op.made);
    case OpKind::kMount:
      return image.add_root(op.disk, op.node);
    case OpKind::kSync:
    case OpKind::kSyncDisk:
    case OpKind::kClose:
      return;
  }
}

}  // namespace sweep
