#include "launcher/config/torchrun.h"

#include <gmock/gmock.h>

namespace config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Words = std::vector<std::string>;

const Environment kNode{{"NUM_NODES", "2"},           {"NODE_RANK", "1"},       {"NUM_TRAINERS", "8"},
                        {"MASTER_ADDR", "10.65.0.2"}, {"MASTER_PORT", "29501"}, {"NODE_ADDR", "10.65.0.3"}};

std::string complaint(Environment environment, const std::string& name, const std::string& value) {
  environment[name] = value;
  if (value.empty()) environment.erase(name);
  const auto cluster = cluster_of(environment);
  return cluster ? "" : cluster.error().message();
}

TEST(Cluster, APodWithoutTheVariablesIsAlone) {
  const auto cluster = cluster_of({{"MASTER_ADDR", "10.0.0.1"}, {"NODE_RANK", "3"}});
  ASSERT_TRUE(cluster);
  EXPECT_TRUE(cluster->alone());
  EXPECT_EQ(cluster->rank, 0);
}

TEST(Cluster, AnInstantClusterIsRead) {
  const auto cluster = cluster_of(kNode);
  ASSERT_TRUE(cluster);
  EXPECT_EQ(cluster->nodes, 2);
  EXPECT_EQ(cluster->rank, 1);
  EXPECT_EQ(cluster->address, "10.65.0.2");
  EXPECT_EQ(cluster->port, 29501);
  EXPECT_EQ(cluster->processes, 8);
}

TEST(Cluster, ThePrimaryNamesWinOverTheOldOnes) {
  Environment node = kNode;
  node["PRIMARY_ADDR"] = "10.65.0.9";
  node["PRIMARY_PORT"] = "4000";
  EXPECT_EQ(cluster_of(node)->address, "10.65.0.9");
  EXPECT_EQ(cluster_of(node)->port, 4000);
}

TEST(Cluster, ContradictionsAreRefusedByName) {
  EXPECT_THAT(complaint(kNode, "NODE_RANK", ""), HasSubstr("NODE_RANK is not set"));
  EXPECT_THAT(complaint(kNode, "MASTER_ADDR", ""), HasSubstr("MASTER_ADDR is not set"));
  EXPECT_THAT(complaint(kNode, "NODE_RANK", "2"), HasSubstr("NODE_RANK is 2, but there are 2 nodes"));
  EXPECT_THAT(complaint(kNode, "NUM_NODES", "two"), HasSubstr("NUM_NODES is \"two\""));
  EXPECT_THAT(complaint(kNode, "MASTER_PORT", "70000"), HasSubstr("70000"));
}

TEST(Torchrun, AloneItStandsAlone) {
  EXPECT_THAT(torchrun_command({"train.py", "--lr", "1"}, Cluster{}, 4),
              ElementsAre("torchrun", "--standalone", "--nnodes=1", "--nproc-per-node=4", "train.py", "--lr", "1"));
}

TEST(Torchrun, ANodeOfAClusterMeetsTheOthersAtNodeZero) {
  EXPECT_THAT(torchrun_command({"python3", "train.py"}, *cluster_of(kNode), 8),
              ElementsAre("torchrun", "--nnodes=2", "--nproc-per-node=8", "--node-rank=1", "--master-addr=10.65.0.2",
                          "--master-port=29501", "train.py"));
}

TEST(Torchrun, ModulesAndOtherProgramsKeepTheirForm) {
  const auto tail = [](const Words& train) {
    const Words command = torchrun_command(train, Cluster{}, 1);
    return Words(command.begin() + 4, command.end());
  };
  EXPECT_THAT(tail({"python", "-m", "areal.train", "x"}), ElementsAre("-m", "areal.train", "x"));
  EXPECT_THAT(tail({"python3.11", "-u", "train.py"}), ElementsAre("--no-python", "python3.11", "-u", "train.py"));
  EXPECT_THAT(tail({"bash", "run.sh", "1hour"}), ElementsAre("--no-python", "bash", "run.sh", "1hour"));
}

TEST(Torchrun, WhatTheUserWroteIsKept) {
  EXPECT_THAT(torchrun_command({"torchrun", "--nproc_per_node=2", "train.py"}, Cluster{}, 8),
              ElementsAre("torchrun", "--standalone", "--nnodes=1", "--nproc_per_node=2", "train.py"));
}

}  // namespace
}  // namespace config
