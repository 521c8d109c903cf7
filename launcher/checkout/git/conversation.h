// One conversation with a remote, in the process that may be killed for it. fetch() in remote.h is the way in.
#pragma once

#include <filesystem>
#include <functional>

#include "launcher/checkout/git/remote.h"

namespace checkout {

// `alive` is called at every sign of life of the remote.
base::Result<Upstream> converse(const std::filesystem::path& git_folder, const RemoteSettings& settings, Fetch what,
                                const std::function<void()>& alive);

// The same by the git program, for what libgit2 cannot do: a limited history, exotic remotes.
base::Result<Upstream> converse_with_git(const std::filesystem::path& git_folder, const RemoteSettings& settings,
                                         Fetch what, const std::function<void()>& alive);

}  // namespace checkout
