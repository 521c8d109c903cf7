#pragma once

#include <unordered_map>

#include "launcher/checkout/git/history.h"

namespace checkout {

// Is everything that an object leads to here? Each answer is remembered, so that asking for every commit of a history
// costs no more than asking for the newest.
class Wholeness {
 public:
  explicit Wholeness(const History& history) : history_(history) {}
  bool whole(const git_oid& id);

 private:
  struct Parts {
    bool readable = false;
    std::vector<git_oid> objects;  // that must be whole
    std::vector<git_oid> blobs;    // that must be there
  };
  Parts parts_of(const git_oid& id) const;

  const History& history_;
  std::unordered_map<git_oid, bool, IdHash, IdEqual> known_;
};

}  // namespace checkout
