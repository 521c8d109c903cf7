// Ending a pod deletes disks. What lies on them and nowhere else is brought to a disk that stays, or the pod is not
// ended.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "launcher/pod/disks.h"

namespace evacuation {

enum class Ends {
  kContainer,  // the pod is stopped: its container disk goes
  kPod,        // it is terminated: its volume goes as well, and network volumes alone stay
};

struct Request {
  std::string run;
  std::filesystem::path checkout;
  std::filesystem::path private_folder;  // beside the checkout; holds quarantine
  std::filesystem::path state;           // of the run; its disk is preferred, where that stays
  std::vector<std::string> results;      // globs; empty where the results are elsewhere already
  pod::Disks disks;
  Ends ends = Ends::kContainer;
};

struct Outcome {
  std::filesystem::path folder;   // empty: nothing was at risk
  std::vector<std::string> kept;  // a phrase each, for people
};

// Blocks for as long as the disks take; for a helper process, which may be killed at any moment: the next call begins
// where nothing is lost. What was evacuated before, and is still all that is at risk, is not copied again.
// Errors: kNoSpace, kNotFound (no disk that stays), and those of reading; with any of them the pod must not be ended.
base::Result<Outcome> evacuate(const Request& request);

}  // namespace evacuation
