// What a user does to the checkout by hand, between boots or beside the training.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "harness/pod/record.h"
#include "harness/scenario/scenario.h"

namespace faults {

// `checkout` is a path of this machine. Adds to `work` what must not be lost from now on, its path relative to the
// checkout, and takes out of it the file that the user overwrites herself. Errors: kNotFound when there is no checkout,
// or no file to modify; what git says when it does not take a commit or a stash, and a commit's file is written then.
base::Result<void> apply_user_edit(const std::string& checkout, const scenario::UserEdit& edit,
                                   std::vector<pod::Precious>& work);

}  // namespace faults
