#include "launcher/pod/platform.h"

namespace pod {

Platform platform(const Environment& environment) {
  if (environment.contains("RUNPOD_POD_ID")) return Platform::kRunpod;
  if (environment.contains("VAST_CONTAINERLABEL") || environment.contains("VAST_TCP_PORT_22")) return Platform::kVast;
  if (environment.contains("KUBERNETES_SERVICE_HOST")) return Platform::kKubernetes;
  return Platform::kOther;
}

base::Seconds grace_of(Platform platform) {
  switch (platform) {
    case Platform::kRunpod:
      return base::Seconds(5);
    case Platform::kKubernetes:
      return base::Seconds(30);
    case Platform::kVast:
    case Platform::kOther:
      return base::Seconds(10);
  }
  return base::Seconds(10);
}

}  // namespace pod
