// What nvidia-smi says of the GPUs. It can hang for ever on a wedged GPU, hence a child with a deadline, and only one
// that is stuck in the driver at a time.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "launcher/base/ask.h"

namespace pod {

struct Gpu {
  std::string uuid;
  std::string name;
  long memory_mebibytes = 0;
  long memory_used_mebibytes = 0;
  long uncorrected_errors = 0;  // ECC, since the driver was loaded
  std::string trouble;          // why it cannot be used; empty: nothing is known against it
};

struct GpuReport {
  enum class State { kAnswered, kNoProgram, kHung, kFailed };
  State state = State::kNoProgram;
  std::vector<Gpu> gpus;
  std::vector<std::string> lost;  // what it said of GPUs that it cannot even name
  std::string driver;             // its version
  std::string detail;             // what it said when it failed
};

class NvidiaSmi {
 public:
  // May ask several times, each with the deadline. A GPU that makes the question for all of them fail does not hide the
  // others: they are then asked for one by one.
  GpuReport ask(base::Waiter& waiter, base::Seconds deadline = base::Seconds(30));

 private:
  base::Answer call(const std::vector<std::string>& arguments, base::Waiter& waiter, base::Seconds deadline);
  GpuReport describe_others(const base::Answer& refusal, base::Waiter& waiter, base::Seconds deadline);
  void look_at_memory(GpuReport& report, base::Waiter& waiter, base::Seconds deadline);

  pid_t stuck_ = 0;
};

// Runs `command` with sh for each GPU that has no trouble yet, with only that one visible, all at once. One for which
// it fails or does not end has trouble. A dead GPU can pass nvidia-smi; it cannot pass the opening of a CUDA context.
// `root_of` finds in its output what to say of one that failed.
void probe(GpuReport& report, const std::string& command, base::Waiter& waiter, base::Seconds deadline,
           const std::function<std::string(const base::Answer&)>& root_of = &base::Answer::last_line);

// The newest Xid that the kernel's log tells of, as a phrase; empty where the log may not be read or has none.
std::string newest_xid(base::Waiter& waiter);

// Of the answer to the query above, in its order: uuid, name, memory, driver, memory used, errors.
void parse_gpus(std::string_view answer, GpuReport& report);
// Of `dmesg`: "Xid 79 on 0000:04:00 (GPU has fallen off the bus)".
std::string parse_xid(std::string_view log);

// Is there an executable of this name in PATH?
bool in_path(const std::string& program);

}  // namespace pod
