// What a user does to the checkout by hand, between boots or beside the training.
#pragma once

#include <string>

#include "base/result.h"
#include "harness/pod/record.h"
#include "harness/scenario/scenario.h"

namespace faults {

// `checkout` is a path of this machine. Returns the work that must not be lost from now on; its path is the edit's,
// relative to the checkout. Errors: kNotFound when there is no checkout, or no file to modify; what git says when a
// commit cannot be made.
base::Result<pod::Precious> apply_user_edit(const std::string& checkout, const scenario::UserEdit& edit);

}  // namespace faults
