#pragma once

#include "launcher/checkout/checkout.h"
#include "launcher/checkout/treatment/workshop.h"

namespace checkout {

// Brings each submodule up as a checkout of its own, at the commit that HEAD names: cloned when it has no files,
// repaired when it is damaged, moved when nothing local is in the way. What cannot be brought in becomes a warning:
// training tells best whether it needs it.
void bring_in_submodules(Workshop& workshop, const Request& request);

// "../other.git" of "https://host/me/project.git" is "https://host/me/other.git"; other addresses are what they are.
std::string resolve_submodule_url(const std::string& parent, const std::string& url);

}  // namespace checkout
