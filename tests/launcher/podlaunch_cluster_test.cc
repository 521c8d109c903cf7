// Two real launchers, two nodes of one cluster, one volume.
#include <gmock/gmock.h>

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

TEST_F(Cluster, TheHoldOfOneNodeIsSeenByAnotherThatTrains) {
  Launcher second = node("1", {"--torchrun", "--gpus", "9999"});
  ASSERT_TRUE(second.says("hold: what to do")) << second.log();
  ASSERT_TRUE(holds_within(std::chrono::seconds(60), [&] { return !read(folder_ / "state/r/nodes/1").empty(); }));
  Launcher first = node("0", {"--torchrun"});
  EXPECT_TRUE(first.says("is held: The pod has fewer GPUs than the run asks for")) << first.log();
}

}  // namespace
}  // namespace podlaunch_world
