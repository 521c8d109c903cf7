// The ids that an object names.
#pragma once

#include <string_view>

#include "launcher/checkout/objects/object.h"

namespace checkout {

// Calls `use` for each id in a commit, tree or tag until it returns false. False also for an object that cannot be
// parsed. Submodules' commits lie elsewhere and are left out, and so are the parents of a commit that is `cut_off`.
template <class Use>
bool for_each_link(const ObjectData& object, bool cut_off, Use use);

namespace links {

// Takes "key hex LF" off the front.
inline std::optional<git_oid> take_line(std::string_view& data, std::string_view key) {
  if (!data.starts_with(key) || data.size() < key.size() + GIT_OID_HEXSZ + 1 ||
      data[key.size() + GIT_OID_HEXSZ] != '\n') {
    return std::nullopt;
  }
  const auto id = id_of(data.substr(key.size(), GIT_OID_HEXSZ));
  data.remove_prefix(key.size() + GIT_OID_HEXSZ + 1);
  return id;
}

template <class Use>
bool of_tree(std::string_view data, Use use) {
  constexpr std::string_view kSubmodule = "160000 ";
  while (!data.empty()) {
    const std::size_t end = data.find('\0');
    if (end == std::string_view::npos || data.size() < end + 1 + GIT_OID_RAWSZ) return false;
    if (!data.starts_with(kSubmodule) && !use(id_at(data.data() + end + 1))) return false;
    data.remove_prefix(end + 1 + GIT_OID_RAWSZ);
  }
  return true;
}

template <class Use>
bool of_commit(std::string_view data, bool cut_off, Use use) {
  const auto tree = take_line(data, "tree ");
  if (!tree || !use(*tree)) return false;
  while (data.starts_with("parent ")) {
    const auto parent = take_line(data, "parent ");
    if (!parent || (!cut_off && !use(*parent))) return false;
  }
  return true;
}

}  // namespace links

template <class Use>
bool for_each_link(const ObjectData& object, bool cut_off, Use use) {
  std::string_view data = object.bytes;
  if (object.type == GIT_OBJECT_TREE) return links::of_tree(data, use);
  if (object.type == GIT_OBJECT_COMMIT) return links::of_commit(data, cut_off, use);
  if (object.type == GIT_OBJECT_TAG) {
    const auto target = links::take_line(data, "object ");
    return target && use(*target);
  }
  return true;
}

}  // namespace checkout
