// torchrun's command line from what the platform says about the cluster.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "launcher/config/config.h"

namespace config {

// One node's view of the pods that train together. A pod alone is a cluster of one.
struct Cluster {
  int nodes = 1;
  int rank = 0;                  // of this node
  std::string address;           // of node 0; empty when alone
  int port = 29500;              // torchrun's own default
  std::optional<int> processes;  // a node, as the platform sees it: its GPUs

  bool alone() const { return nodes == 1; }
};

// From NUM_NODES, NODE_RANK, PRIMARY_ADDR or MASTER_ADDR, PRIMARY_PORT or MASTER_PORT, NUM_TRAINERS, as RunPod's
// Instant Clusters set them. None of them: a pod alone. kInvalidInput: they contradict one another, or one is missing.
base::Result<Cluster> cluster_of(const Environment& environment);

// How `train` is started on `processes` GPUs of this node: "python train.py" and "train.py" become torchrun's script,
// "torchrun …" gets what it lacks, anything else is run as it is (--no-python).
std::vector<std::string> torchrun_command(const std::vector<std::string>& train, const Cluster& cluster, int processes);

}  // namespace config
