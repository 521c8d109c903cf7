// Are the GPUs enough to train on? A function of what is asked for, what nvidia-smi says, and what this run remembers.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "launcher/pod/gpus.h"

namespace pod {

struct GpuNeed {
  int wanted = 0;                               // 0: nobody asked for any
  int least = 0;                                // as few as this will do; `wanted` where nothing else was said
  bool by_user = false;                         // else the platform promised them
  std::map<std::string, unsigned> faults = {};  // what this run has seen of each GPU, by UUID
};

// A GPU that failed so often is done without where there are enough others.
inline constexpr unsigned kFaultsMax = 2;

struct GpuVerdict {
  enum class Kind {
    kNotNeeded,
    kUnchecked,  // promised by the platform, but there is no nvidia-smi to ask
    kReady,
    kMissing,  // too few, or too few that can be used
    kHung,
    kFailed,  // nvidia-smi cannot talk to the driver
  };
  Kind kind = Kind::kNotNeeded;
  std::string text;                 // a sentence
  std::vector<std::string> masked;  // kReady: the only ones to be used, by UUID; empty: all
  int usable = 0;
  std::vector<std::string> troubles;  // "GPU-…: what is wrong with it"
  std::vector<std::string> warnings;
};

GpuVerdict judge(const GpuReport& report, const GpuNeed& need);

}  // namespace pod
