#include "harness/scenario/scenario.h"

#include <algorithm>

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

NetworkWay way_of(const NetworkFault& fault) {
  if (fault.service == "pip") return NetworkWay::kCall;
  if (fault.fault == "dns-failure") return NetworkWay::kLookUp;
  if (fault.fault == "refuse") return NetworkWay::kConnection;
  return fault.fault.ends_with("-pack") ? NetworkWay::kPack : NetworkWay::kRequest;
}

std::string_view name(NetworkWay way) {
  switch (way) {
    case NetworkWay::kLookUp:
      return "look-up";
    case NetworkWay::kConnection:
      return "connection";
    case NetworkWay::kRequest:
      return "request";
    case NetworkWay::kPack:
      return "pack";
    case NetworkWay::kCall:
      return "call";
  }
  return "unknown";
}

bool names_web_hook(const Scenario& scenario) {
  return std::ranges::any_of(scenario.start.command, [](const std::string& word) {
    return word.find("http://hook.simrun/") != std::string::npos;
  });
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
