// The namespaces a world lives in. Everything it mounts lies in a mount namespace of its own and is gone with the last
// of its processes, however that ends.
#pragma once

#include <string>

#include "base/result.h"

namespace pod {

// Moves the calling process, which must have one thread, into namespaces of its own: user (with the caller as root),
// mount, network with loopback only, UTS and IPC. Mounts an empty tmpfs and returns its path.
// Errors: kUnsupported or kNotPermitted with what to enable.
base::Result<std::string> enter_world();

// For a process of a world that goes on as a world of its own: mount, network and IPC namespaces of its own, and an
// empty tmpfs at `place`, a folder of the world that was left. Returns `place`.
base::Result<std::string> enter_branch(const std::string& place);

base::Result<void> mount_tmpfs(const std::string& path, std::uint64_t size_bytes);

}  // namespace pod
