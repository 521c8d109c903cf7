// Disks that are full, read-only or somebody else's as real mounts, seen by the launcher alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "podlaunch_world.h"

namespace {

using namespace podlaunch_world;
using testing::HasSubstr;
using testing::Not;

class Mounts : public Podlaunch {
 protected:
  // A first boot brings up the checkout on ordinary disks, for a run of its own.
  void SetUp() override {
    Podlaunch::SetUp();
    Words all = words({"--on-complete", "exit"}, {"sh", "-c", "exit 0"});
    *std::find(all.begin(), all.end(), "r") = "before";
    ASSERT_EQ(Launcher(all, folder_ / "log0").status(), 0) << read(folder_ / "log0");
  }
  static Words after(const std::string& mounts) {
    return {"unshare", "--user", "--map-root-user", "--mount", "sh", "-ec", mounts + "; exec \"$@\"", "sh"};
  }
  std::string state() const { return (folder_ / "state").string(); }
  void expect_hold_without_training(Launcher& launcher, const std::string& cause) const {
    ASSERT_TRUE(launcher.says("(ledger-unusable)")) << launcher.log();
    EXPECT_THAT(launcher.log(), HasSubstr(cause));
    EXPECT_THAT(launcher.log(), HasSubstr("hold: what to do"));
    EXPECT_FALSE(launcher.ends_within(std::chrono::milliseconds(500))) << launcher.log();
    EXPECT_THAT(launcher.log(), Not(HasSubstr("attempt 1")));
    launcher.signal(SIGTERM);
    EXPECT_EQ(launcher.status(), 143);
  }
};

TEST_F(Mounts, StateOnAFullDiskHoldsWithTheReasonAndTrainsNothing) {
  Launcher launcher = boot({}, train_script(), "log",
                           after("mount -t tmpfs -o size=256k none " + state() + "; head -c 1M /dev/zero > " + state() +
                                 "/fill 2>/dev/null || true"));
  expect_hold_without_training(launcher, "No space left on device");
}

TEST_F(Mounts, StateOnAReadOnlyDiskHoldsWithTheReasonAndTrainsNothing) {
  Launcher launcher = boot({}, train_script(), "log",
                           after("mount --bind " + state() + " " + state() + "; mount -o remount,bind,ro " + state()));
  expect_hold_without_training(launcher, "Read-only file system");
}

TEST_F(Mounts, SoundCheckoutOnAReadOnlyDiskIsTrainedAsItIs) {
  const std::string disk = checkout().parent_path().string();
  Launcher launcher = boot({"--on-complete", "exit"}, train_script(), "log",
                           after("mount --bind " + disk + " " + disk + "; mount -o remount,bind,ro " + disk));
  EXPECT_EQ(launcher.status(), 0) << launcher.log();
  EXPECT_THAT(launcher.log(), HasSubstr("step 3"));
  EXPECT_THAT(launcher.log(), HasSubstr("read-only"));
}

TEST_F(Mounts, CheckoutThatIsAMountOfItsOwnIsRefusedBeforeAnythingIsTouched) {
  const std::string place = checkout().string();
  Launcher launcher = boot({}, train_script(), "log", after("mount -t tmpfs none " + place));
  ASSERT_TRUE(launcher.says("mount point")) << launcher.log();
  EXPECT_THAT(launcher.log(), Not(HasSubstr("attempt 1")));
}

}  // namespace
