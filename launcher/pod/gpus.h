// What nvidia-smi says of the GPUs. It can hang for ever on a wedged GPU, hence a child with a deadline.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "launcher/base/waiter.h"

namespace pod {

struct Gpu {
  std::string uuid;
  std::string name;
  long memory_mebibytes = 0;
  long uncorrected_errors = 0;  // ECC, since the driver was loaded
};

struct GpuReport {
  enum class State { kAnswered, kNoProgram, kHung, kFailed };
  State state = State::kNoProgram;
  std::vector<Gpu> gpus;
  std::string detail;  // what it said when it failed
};

GpuReport ask_for_gpus(base::Waiter& waiter, base::Seconds deadline = base::Seconds(30));

// Of the answer to --query-gpu=uuid,name,memory.total,ecc… --format=csv,noheader,nounits.
std::vector<Gpu> parse_gpus(std::string_view answer);

// Is there an executable of this name in PATH?
bool in_path(const std::string& program);

}  // namespace pod
