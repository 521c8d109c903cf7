// Object names: what containers need, and their text form.
#pragma once

#include <git2/oid.h>

#include <cstddef>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>

namespace checkout {

struct IdHash {
  std::size_t operator()(const git_oid& id) const {
    std::size_t value;
    std::memcpy(&value, id.id, sizeof value);
    return value;
  }
};
inline bool same_id(const git_oid& a, const git_oid& b) {
  return std::memcmp(a.id, b.id, GIT_OID_RAWSZ) == 0;
}
struct IdEqual {
  bool operator()(const git_oid& a, const git_oid& b) const { return same_id(a, b); }
};
using IdSet = std::unordered_set<git_oid, IdHash, IdEqual>;

// The 20 bytes that lie at `bytes`.
inline git_oid id_at(const char* bytes) {
  git_oid id;
  std::memcpy(id.id, bytes, GIT_OID_RAWSZ);
  return id;
}

std::string hex_of(const git_oid& id);
std::optional<git_oid> id_of(std::string_view hex);  // exactly 40 hex digits, not all zero

}  // namespace checkout
