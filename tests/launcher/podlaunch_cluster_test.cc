// Two real launchers, two nodes of one cluster, one volume. That an attempt is ended for another node, and every wait's
// end, is played in virtual time: scenarios/node_*.yaml.
#include <gmock/gmock.h>

#include <algorithm>
#include <sstream>

#include "tests/launcher/podlaunch_world.h"

namespace podlaunch_world {
namespace {

class Cluster : public Podlaunch {
 protected:
  void SetUp() override {
    Podlaunch::SetUp();
    ::setenv("NUM_NODES", "2", 1);
    ::setenv("MASTER_ADDR", "10.0.0.2", 1);
    write(folder_ / "bin/torchrun", "#!/bin/sh\necho torchrun got \"$@\"\nexec sleep 1000\n");
    fs::permissions(folder_ / "bin/torchrun", fs::perms::owner_all);
    ::setenv("PATH", ((folder_ / "bin").string() + ":" + path_).c_str(), 1);
  }
  void TearDown() override {
    for (const char* variable : {"NUM_NODES", "MASTER_ADDR", "NODE_RANK"}) ::unsetenv(variable);
    ::setenv("PATH", path_.c_str(), 1);
    Podlaunch::TearDown();
  }
  Launcher node(const std::string& rank, const Words& extra) const {
    ::setenv("NODE_RANK", rank.c_str(), 1);
    return boot(extra, {"python", "train.py"}, "log-" + rank);
  }
  const std::string path_ = std::getenv("PATH");
};

TEST_F(Cluster, TheNodesOfOneRunTrainSideBySide) {
  Launcher first = node("0", {"--torchrun"});
  Launcher second = node("1", {"--torchrun"});
  EXPECT_TRUE(first.says("torchrun got --nnodes=2 --nproc-per-node=1 --node-rank=0 --master-addr=10.0.0.2"))
      << first.log();
  EXPECT_TRUE(second.says("torchrun got --nnodes=2 --nproc-per-node=1 --node-rank=1 --master-addr=10.0.0.2"))
      << second.log();
  EXPECT_FALSE(second.says("leased", std::chrono::seconds(0))) << second.log();
}

// Short, so that renewals are seen soon; what passes for a sign of death is measured in lease times.
const Words kShared{"--torchrun", "--lease-time", "12s"};

TEST_F(Cluster, ANodeDoesNotBeginWhileAnotherIsHeld) {
  const Words patient{"--torchrun", "--lease-time", "60s"};
  Words one_gpu_too_many = patient;
  one_gpu_too_many.insert(one_gpu_too_many.end(), {"--gpus", "9999"});
  Launcher second = node("1", one_gpu_too_many);
  ASSERT_TRUE(second.says("hold: what to do")) << second.log();
  const fs::path word = folder_ / "state/r/nodes/1";
  ASSERT_TRUE(holds_within(std::chrono::seconds(60), [&] { return !read(word).empty(); }));
  Launcher first = node("0", patient);
  EXPECT_TRUE(first.says("is held: The pod has fewer GPUs than the run asks for")) << first.log();
  EXPECT_TRUE(first.says("(node-held)")) << first.log();
  EXPECT_EQ(first.log().find("torchrun got"), std::string::npos) << first.log();
}

// Node 2 shares the run's state, and has a checkout on a disk of its own.
TEST_F(Cluster, TheOthersWaitForNodeZeroAndBringUpOnlyWhatIsTheirOwn) {
  ::setenv("NUM_NODES", "3", 1);
  Launcher second = node("1", kShared);
  ASSERT_TRUE(second.says("waiting for node 0")) << second.log();
  EXPECT_FALSE(fs::exists(checkout()));
  const fs::path own = folder_ / "disk-2/project";
  Words elsewhere = words(kShared, {"python", "train.py"});
  std::replace(elsewhere.begin(), elsewhere.end(), checkout().string(), own.string());
  ::setenv("NODE_RANK", "2", 1);
  Launcher third(elsewhere, folder_ / "log-2");
  Launcher first = node("0", kShared);
  for (const Launcher* each : {&first, &second, &third}) EXPECT_TRUE(each->says("torchrun got")) << each->log();
  EXPECT_TRUE(second.says("brought up by node 0 at")) << second.log();
  EXPECT_TRUE(third.says("cloned at")) << third.log();
  EXPECT_TRUE(fs::exists(own / "train.sh"));
}

// With the process that keeps its lease, so that nobody hands that back.
void kill_at_once(Launcher& launcher) {
  launcher.signal(SIGSTOP);
  const std::string pid = std::to_string(launcher.pid());
  std::istringstream children(read("/proc/" + pid + "/task/" + pid + "/children"));
  for (pid_t child = 0; children >> child;) ::kill(child, SIGKILL);
  launcher.signal(SIGKILL);
  ASSERT_TRUE(launcher.ends_within(std::chrono::seconds(60)));
}

// All nodes were killed together: word and lease of the old launcher agree, until node 0 is back with something newer.
TEST_F(Cluster, TheWordOfALauncherThatIsGoneIsNotBelieved) {
  {
    Launcher first = node("0", kShared);
    ASSERT_TRUE(first.says("torchrun got")) << first.log();
    kill_at_once(first);
  }
  commit_upstream("train.sh", "echo newer\n");
  Launcher second = node("1", kShared);
  ASSERT_TRUE(second.says("waiting for node 0")) << second.log();
  Launcher first = node("0", kShared);
  ASSERT_TRUE(second.says("brought up by node 0 at")) << second.log();
  EXPECT_EQ(read(checkout() / "train.sh"), "echo newer\n");
  EXPECT_TRUE(first.says("updated at", std::chrono::seconds(0))) << first.log();
}

// Node 0 trains on without knowing; who comes to it has nothing to train on until node 0 begins again.
TEST_F(Cluster, AWordOfACheckoutThatIsDeletedSinceIsNotBelieved) {
  Launcher first = node("0", kShared);
  ASSERT_TRUE(first.says("torchrun got")) << first.log();
  fs::remove_all(checkout());
  Launcher second = node("1", kShared);
  ASSERT_TRUE(second.says("is gone since node 0 has brought it up")) << second.log();
  EXPECT_FALSE(second.says("torchrun got", std::chrono::seconds(0))) << second.log();
  first.signal(SIGTERM);
  ASSERT_EQ(first.status(), 143) << first.log();
  Launcher again = node("0", kShared);
  EXPECT_TRUE(second.says("brought up by node 0 at")) << second.log();
  EXPECT_TRUE(second.says("torchrun got")) << second.log();
}

}  // namespace
}  // namespace podlaunch_world
