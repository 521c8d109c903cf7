#include "launcher/checkout/treatment/wholeness.h"

#include <algorithm>

namespace checkout {

Wholeness::Parts Wholeness::parts_of(const git_oid& id) const {
  Parts parts;
  const auto object = history_.read(id);
  if (!object) return parts;
  switch (object->type) {
    case GIT_OBJECT_COMMIT:
      if (const auto commit = history_.commit(id)) {
        parts.readable = true;
        parts.objects = commit->parents;
        parts.objects.push_back(commit->tree);
      }
      break;
    case GIT_OBJECT_TREE:
      if (const auto entries = parse_tree(object->bytes)) {
        parts.readable = true;
        for (const TreeEntry& entry : *entries) {
          if (!entry.is_submodule()) (entry.is_folder() ? parts.objects : parts.blobs).push_back(entry.id);
        }
      }
      break;
    case GIT_OBJECT_TAG:
      if (const auto target = parse_tag(object->bytes)) {
        parts.readable = true;
        parts.objects.push_back(target->first);
      }
      break;
    default:
      parts.readable = true;
  }
  return parts;
}

// Depth first with the parts before the whole; objects form no cycles, since their names are hashes.
bool Wholeness::whole(const git_oid& id) {
  struct Frame {
    git_oid id;
    Parts parts;
    std::size_t next = 0;
  };
  std::vector<Frame> stack;
  const auto enter = [&](const git_oid& object) {
    if (!known_.contains(object)) stack.push_back({object, parts_of(object), 0});
  };
  enter(id);
  while (!stack.empty()) {
    Frame& frame = stack.back();
    if (frame.parts.readable && frame.next < frame.parts.objects.size()) {
      enter(frame.parts.objects[frame.next++]);
      continue;
    }
    known_[frame.id] = frame.parts.readable &&
                       std::all_of(frame.parts.objects.begin(), frame.parts.objects.end(),
                                   [&](const git_oid& o) { return known_[o]; }) &&
                       std::all_of(frame.parts.blobs.begin(), frame.parts.blobs.end(),
                                   [&](const git_oid& o) { return history_.has(o); });
    stack.pop_back();
  }
  return known_[id];
}

}  // namespace checkout
