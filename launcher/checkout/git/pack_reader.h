// Reads single objects out of a pack that libgit2 and git refuse as a whole.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "launcher/checkout/git/history.h"

namespace checkout {

// Every object of the pack that can still be read and whose hash is right. With an index the damage of one object does
// not hide the next; without one, reading ends at the first that is damaged. `elsewhere` finds the bases of deltas that
// lie in other files.
class PackReader {
 public:
  using Lookup = std::function<std::optional<ObjectData>(const git_oid&)>;

  PackReader(std::string contents, const std::optional<PackIndex>& index, Lookup elsewhere);

  // Calls `use` for each.
  void for_each(const std::function<void(const git_oid&, const ObjectData&)>& use);

 private:
  struct Entry {
    ObjectData data;
    std::size_t end = 0;  // where the next entry begins
  };
  std::optional<Entry> read_at(std::size_t offset, int depth);
  std::optional<std::string> inflate_at(std::size_t offset, std::size_t size, std::size_t& end) const;
  std::optional<ObjectData> base_by_id(const git_oid& id, int depth);

  std::string contents_;
  Lookup elsewhere_;
  std::vector<std::pair<std::size_t, git_oid>> by_offset_;  // from the index
  std::unordered_map<git_oid, std::size_t, IdHash, IdEqual> offsets_;
};

}  // namespace checkout
