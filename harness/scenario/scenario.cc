#include "harness/scenario/scenario.h"

namespace scenario {

std::string_view name(Outcome outcome) {
  switch (outcome) {
    case Outcome::kCompleted:
      return "completed";
    case Outcome::kHeld:
      return "held";
    case Outcome::kLooped:
      return "looped";
    case Outcome::kExited:
      return "exited";
    case Outcome::kRunning:
      return "running";
    case Outcome::kStopped:
      return "stopped";
    case Outcome::kTerminated:
      return "terminated";
  }
  return "unknown";
}

std::string_view name(DiskKind kind) {
  switch (kind) {
    case DiskKind::kContainer:
      return "container";
    case DiskKind::kVolume:
      return "volume";
    case DiskKind::kNetworkVolume:
      return "network-volume";
  }
  return "unknown";
}

}  // namespace scenario
