#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "launcher/base/waiter.h"
#include "launcher/pod/disks.h"
#include "launcher/pod/gpus.h"
#include "launcher/pod/identity.h"

namespace {

namespace fs = std::filesystem;
using pod::Disks;

const char* const kPod =
    "1 0 0:50 / / rw - overlay overlay rw,lowerdir=/a\n"
    "2 1 0:51 / /proc rw - proc proc rw\n"
    "3 1 0:52 / /dev/shm rw - tmpfs shm rw\n"
    "4 1 259:1 /vol /workspace/outputs rw,relatime shared:4 - ext4 /dev/sdb rw\n"
    "5 1 0:60 / /workspace/with\\040blank rw - fuse.mfs mfs#eu rw\n";

TEST(Disks, OnlyWhatIsMountedSurvivesThePod) {
  const Disks disks = Disks::parse(kPod);
  EXPECT_FALSE(disks.survives("/workspace/AReaL"));
  EXPECT_FALSE(disks.survives("/dev/shm/x"));
  EXPECT_TRUE(disks.survives("/workspace/outputs/a/b"));
  EXPECT_FALSE(disks.survives("/workspace/outputs2"));
  EXPECT_TRUE(disks.is_mount_point("/workspace/outputs"));
  EXPECT_FALSE(disks.is_mount_point("/workspace"));
}

TEST(Disks, NetworkFileSystemsAreShared) {
  const Disks disks = Disks::parse(kPod);
  EXPECT_TRUE(disks.shared("/workspace/with blank/x"));
  EXPECT_FALSE(disks.shared("/workspace/outputs"));
}

TEST(Disks, VolumeIsTheOutermostOneInTheWorkspace) {
  EXPECT_EQ(Disks::parse(kPod).volume(), "/workspace/outputs");
  EXPECT_EQ(Disks::parse(std::string(kPod) + "6 1 8:1 / /workspace rw - ext4 /dev/sdc rw\n").volume(), "/workspace");
  EXPECT_EQ(Disks::parse("1 0 0:50 / / rw - overlay overlay rw\n").volume(), "");
  EXPECT_EQ(Disks::parse("").volume(), "");
}

TEST(Gpus, AnswerIsRead) {
  const auto gpus =
      pod::parse_gpus("GPU-aa-1, NVIDIA H100, 81559, 0\nGPU-bb-2, NVIDIA H100, 81559, [N/A]\nNo devices were found\n");
  ASSERT_EQ(gpus.size(), 2U);
  EXPECT_EQ(gpus[1].uuid, "GPU-bb-2");
  EXPECT_EQ(gpus[0].memory_mebibytes, 81559);
}

class NvidiaSmi : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(waiter_); }
  void TearDown() override {
    ::setenv("PATH", path_.c_str(), 1);
    fs::remove_all(folder_);
  }
  void install(const std::string& script) {
    fs::create_directories(folder_);
    std::ofstream(folder_ / "nvidia-smi") << "#!/bin/sh\n" << script;
    fs::permissions(folder_ / "nvidia-smi", fs::perms::owner_all);
    ::setenv("PATH", (folder_.string() + ":" + path_).c_str(), 1);
  }

  const std::string path_ = std::getenv("PATH");
  const fs::path folder_ = fs::path(testing::TempDir()) / ("smi_" + std::to_string(::getpid()));
  base::Result<base::Waiter> waiter_ = base::Waiter::open();
};

TEST_F(NvidiaSmi, AnswerFailureAndSilenceAreToldApart) {
  using State = pod::GpuReport::State;
  install("echo 'GPU-1, H100, 80000, 0'\n");
  const auto answered = pod::ask_for_gpus(*waiter_);
  EXPECT_EQ(answered.state, State::kAnswered);
  EXPECT_EQ(answered.gpus.size(), 1U);
  install("echo 'NVIDIA-SMI has failed'; exit 9\n");
  const auto failed = pod::ask_for_gpus(*waiter_);
  EXPECT_EQ(failed.state, State::kFailed);
  EXPECT_EQ(failed.detail, "exit 9: NVIDIA-SMI has failed");
  install("exec sleep 100\n");
  EXPECT_EQ(pod::ask_for_gpus(*waiter_, base::Seconds(1)).state, State::kHung);
}

TEST(Identity, PodIdComesFromThePlatformElseFromTheHost) {
  EXPECT_EQ(pod::identify({{"RUNPOD_POD_ID", "abc"}}).pod, "abc");
  EXPECT_NE(pod::identify({{"RUNPOD_POD_ID", ""}}).pod, "");
  EXPECT_FALSE(pod::identify({}).first_process);
}

}  // namespace
