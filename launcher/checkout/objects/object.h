#pragma once

#include <git2/types.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "launcher/checkout/objects/id.h"

namespace checkout {

struct ObjectData {
  git_object_t type = GIT_OBJECT_INVALID;
  std::string bytes;
};
using ObjectPointer = std::shared_ptr<const ObjectData>;

std::string_view name_of_type(git_object_t type);
git_oid id_of_object(const ObjectData& object);

// What a delta makes of its base; nullopt when it does not fit.
std::optional<std::string> apply_delta(std::string_view base, std::string_view delta);

}  // namespace checkout
