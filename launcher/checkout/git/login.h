// Which login a remote gets: its own, and nobody else does.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "launcher/checkout/git/netrc.h"
#include "launcher/checkout/git/remote.h"

namespace checkout {

// "https://user@Example.org/x" -> "https://example.org:443". Empty where the URL has no host.
std::string place_of(std::string_view url);

// From the token's variable, else from netrc. GITHUB_TOKEN without being asked for goes to github.com alone. None over
// a connection that anybody may read, unless it stays on this machine.
std::optional<Login> login_for(const RemoteSettings& settings);

// What a host needs whose own key is not known, or has changed.
inline constexpr const char* kUnknownHostRemedy =
    "Write the host's key into a file, as ssh-keyscan prints it, compare it with what the host publishes, and name the "
    "file with --ssh-known-hosts.";

// Why there is none, or what to do when it was refused.
std::string login_remedy(const RemoteSettings& settings);

}  // namespace checkout
