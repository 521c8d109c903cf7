#pragma once

#include "launcher/base/time.h"
#include "launcher/pod/identity.h"

namespace pod {

enum class Platform { kRunpod, kVast, kKubernetes, kOther };

// By the variables that each platform sets in its containers.
Platform platform(const Environment& environment);

// From the platform's SIGTERM to its SIGKILL. RunPod: 5 s at a spot interruption, as documented until May 2026.
// Kubernetes: terminationGracePeriodSeconds, 30 s by default. Elsewhere `docker stop`'s 10 s.
base::Seconds grace_of(Platform platform);

}  // namespace pod
