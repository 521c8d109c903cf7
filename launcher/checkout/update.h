// Bringing a sound checkout to the wanted upstream commit, as far as local work allows.
#pragma once

#include "launcher/checkout/checkout.h"
#include "launcher/checkout/treatment/workshop.h"

namespace checkout {

struct UpdateReport {
  bool upstream_reached = false;
  bool moved = false;
  std::vector<Finding> findings;  // against upstream
};

// Fetches, decides, moves. That the remote cannot be reached is no error here: the checkout is used as it is.
base::Result<UpdateReport> update(Workshop& workshop, const Request& request, const Survey& survey);

// The whole state of the work tree, untracked files included and ignored ones not, as a commit under a rescue
// reference. nullopt: there is nothing that HEAD does not have.
base::Result<std::optional<std::string>> rescue_work_tree(Workshop& workshop);

// What the commits of rescue references hold beyond their parents, in bytes.
std::uint64_t rescued_bytes(const fs::path& git_folder);

}  // namespace checkout
