#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "launcher/pod/disks.h"
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

TEST(Identity, PodIdComesFromThePlatformElseFromTheHost) {
  EXPECT_EQ(pod::identify({{"RUNPOD_POD_ID", "abc"}}).pod, "abc");
  EXPECT_NE(pod::identify({{"RUNPOD_POD_ID", ""}}).pod, "");
  EXPECT_FALSE(pod::identify({}).first_process);
}

}  // namespace
