// Commits that a remote is told we have, although their objects do not lie where the conversation takes place.
//
// A damaged database must not be asked what it has: it has the newest commit, and so nothing would be sent. But of most
// commits everything is here, down to the last file. Told of exactly those, the remote sends all that came later, the
// missing objects among it, and nothing of the long history before.
#pragma once

#include <git2.h>

#include <memory>
#include <vector>

#include "base/result.h"
#include "launcher/checkout/objects/store.h"

namespace checkout {

struct LentCommits {
  std::shared_ptr<const ObjectStore> store;
  IdSet ids;                  // with each commit all its parents
  std::vector<git_oid> tips;  // those that no other one has for a parent
};

// `repository` finds these commits from now on, and nothing else of their store, and has a reference to each tip: that
// is how a fetch learns of them.
base::Result<void> lend_commits(git_repository* repository, std::shared_ptr<const LentCommits> lent);

}  // namespace checkout
