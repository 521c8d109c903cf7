// One start of a container: a process that is PID 1 of its own PID namespace and sees nothing but the pod.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "harness/pod/disks.h"
#include "harness/stage/syscalls.h"

namespace pod {

// In the pod: the mount table that its programs are shown, in both forms that Linux has.
inline constexpr const char* kMountinfoFile = "/dev/.simrun/mountinfo";
inline constexpr const char* kMountsFile = "/dev/.simrun/mounts";
// And what its GPUs do, for the stand-ins of nvidia-smi and dmesg and for the trainer.
inline constexpr const char* kGpusFile = "/dev/.simrun/gpus";

struct Launch {
  std::vector<std::string> command;
  std::map<std::string, std::string> environment;
  std::string hostname;
  std::string uptime_file;   // stands for /proc/uptime
  std::string boot_id_file;  // stands for the host's boot id
  std::string gpus_file;     // stands for the GPUs' driver; see fixtures/README.md
  int output = -1;           // becomes standard output and error
  stage::FaultPoints fault_points = stage::FaultPoints::kIgnored;
  bool staged = true;  // false: without the stage's filter, for a process that no stage adopts
};

// A process that is ready to execute its command and waits for go().
struct Launched {
  pid_t id = 0;
  base::UniqueFd go_pipe;      // one byte lets it execute
  base::UniqueFd status_pipe;  // closed by a successful exec; else holds what went wrong

  void go();
  // After the process has ended: why it could not execute its command, or nothing.
  std::string failure() const;
};

// Builds the pod's file system in a mount namespace of its own. Errors: what could not be mounted, and the remedy.
base::Result<Launched> launch_container(const Disks& disks, const Launch& launch);

// Another process of the pod that `first` is the first process of, as a shell over SSH starts one: in its namespaces,
// with nothing of its environment but `environment`. It is this process's child.
base::Result<Launched> launch_inside(pid_t first, const std::vector<std::string>& command,
                                     const std::map<std::string, std::string>& environment, int output,
                                     stage::FaultPoints points);

// A program of the world itself, outside the pod, with the given descriptors kept open.
base::Result<Launched> launch_service(const std::vector<std::string>& command, int log, const std::vector<int>& kept,
                                      bool staged = true);

}  // namespace pod
