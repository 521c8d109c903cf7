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

base::Result<void> mount_tmpfs(const std::string& path, std::uint64_t size_bytes);

}  // namespace pod
