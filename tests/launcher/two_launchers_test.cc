// Real launchers that share a disk. Somebody else's pod is played by the test itself, with a lease of its own, or by a
// second launcher that looks at the disk as from another host: there the kernel's locks do not reach it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "launcher/lease/lease.h"
#include "podlaunch_world.h"

namespace {

using namespace podlaunch_world;
using lease::Holder;
using lease::Sight;
using lease::Tenure;
using testing::HasSubstr;
using testing::Not;

constexpr base::Seconds kLong{600};

class TwoLaunchers : public Podlaunch {
 protected:
  fs::path run_folder() const { return folder_ / "state/r"; }
  fs::path lease_folder() const { return run_folder() / "lease"; }
  Sight seen() const { return lease::look(lease_folder()).value_or(Sight()); }
  // A pod on another host takes the lease.
  base::Result<Tenure> claim_from_elsewhere(lease::Terms terms) const {
    return Tenure::claim(lease_folder(), seen(), Holder{"pod-x", "another-host", "another-boot", 0}, terms);
  }
  Words train_and_tell() const { return {"sh", "-c", "echo $$ >> ../pids; echo ready; exec sleep 1000"}; }
  std::vector<pid_t> trainings() const {
    std::vector<pid_t> pids;
    std::ifstream file(checkout().parent_path() / "pids");
    for (pid_t pid = 0; file >> pid;) pids.push_back(pid);
    return pids;
  }
  static bool is_alive(pid_t pid) { return ::kill(pid, 0) == 0; }
  static Words pod(const std::string& name) { return {"env", "RUNPOD_POD_ID=" + name}; }
  // The children that are podlaunch themselves: during a training that is the keeper.
  static std::vector<pid_t> keepers(const Launcher& launcher) {
    std::vector<pid_t> found;
    const std::string self = "/proc/" + std::to_string(launcher.pid());
    std::ifstream children(self + "/task/" + std::to_string(launcher.pid()) + "/children");
    for (pid_t pid = 0; children >> pid;) {
      if (read("/proc/" + std::to_string(pid) + "/cmdline") == read(self + "/cmdline")) found.push_back(pid);
    }
    return found;
  }
  // As from another host: another boot id, and the lock is another file.
  Words other_host(const std::string& pod_name) const {
    write(folder_ / "boot_id", "11111111-2222-3333-4444-555555555555\n");
    write(folder_ / "other.lock", "");
    const std::string mounts = "mount --bind " + (folder_ / "boot_id").string() +
                               " /proc/sys/kernel/random/boot_id && mount --bind " + (folder_ / "other.lock").string() +
                               " " + (run_folder() / "lease.lock").string() + " && exec \"$@\"";
    return {"env", "RUNPOD_POD_ID=" + pod_name, "unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mounts,
            "sh"};
  }
};

TEST_F(TwoLaunchers, SilentPodsLeaseIsTakenOverAndALivingOnesIsNot) {
  auto theirs = claim_from_elsewhere({kLong, base::Seconds(0)});
  ASSERT_TRUE(theirs) << theirs.error().message();
  Launcher launcher = boot({"--lease-time", "60s"}, train_and_tell());
  ASSERT_TRUE(launcher.says("leased to pod pod-x")) << launcher.log();
  EXPECT_THAT(launcher.log(), HasSubstr("leased-elsewhere"));
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(theirs->renew());
    EXPECT_FALSE(launcher.says("\nready", std::chrono::milliseconds(150)));
  }
  ASSERT_TRUE(claim_from_elsewhere({base::Seconds(1), base::Seconds(0)}));
  ASSERT_TRUE(launcher.says("no sign of life from pod pod-x")) << launcher.log();
  ASSERT_TRUE(launcher.says("\nready")) << launcher.log();
  EXPECT_FALSE(theirs->renew());
}

TEST_F(TwoLaunchers, LauncherThatIsTakenOverEndsItsTrainingAndWritesNothingUntilItIsItsTurn) {
  Launcher launcher = boot({"--lease-time", "12s", "--grace", "1s"}, train_and_tell());
  ASSERT_TRUE(launcher.says("\nready")) << launcher.log();
  const std::string ledger = read(run_folder() / "ledger.jsonl");
  auto theirs = claim_from_elsewhere({kLong, base::Seconds(0)});
  ASSERT_TRUE(theirs) << theirs.error().message();
  ASSERT_TRUE(launcher.says("no longer")) << launcher.log();
  ASSERT_EQ(trainings().size(), 1U);
  EXPECT_FALSE(is_alive(trainings()[0]));
  ASSERT_TRUE(launcher.says("leased to pod pod-x")) << launcher.log();
  EXPECT_EQ(read(run_folder() / "ledger.jsonl"), ledger);
  theirs->release();
  ASSERT_TRUE(launcher.says("phase training: attempt 2")) << launcher.log();
}

TEST_F(TwoLaunchers, HolderThatCannotRenewEndsItsTrainingAndDoesNotBeginAnother) {
  Launcher launcher = boot({"--lease-time", "2s", "--grace", "1s"}, train_and_tell());
  ASSERT_TRUE(launcher.says("\nready")) << launcher.log();
  fs::rename(lease_folder(), folder_ / "moved");
  write(lease_folder(), "a file, where nothing can be renewed");
  ASSERT_TRUE(launcher.says("lease could not be renewed in time")) << launcher.log();
  for (const pid_t training : trainings()) EXPECT_FALSE(is_alive(training));
  ASSERT_TRUE(launcher.says("ledger-unusable")) << launcher.log();
  const std::size_t so_far = trainings().size();
  EXPECT_FALSE(launcher.ends_within(std::chrono::milliseconds(500)));
  EXPECT_EQ(trainings().size(), so_far);
}

TEST_F(TwoLaunchers, DeadKeeperThatCannotComeBackEndsTheTrainingToo) {
  Launcher launcher = boot({"--lease-time", "2s", "--grace", "1s"}, train_and_tell());
  ASSERT_TRUE(launcher.says("\nready")) << launcher.log();
  fs::rename(lease_folder(), folder_ / "moved");
  write(lease_folder(), "a file, where nothing can be renewed");
  for (const pid_t keeper : keepers(launcher)) ::kill(keeper, SIGKILL);
  ASSERT_TRUE(launcher.says("no longer")) << launcher.log();
  for (const pid_t training : trainings()) EXPECT_FALSE(is_alive(training));
}

TEST_F(TwoLaunchers, KilledKeeperIsReplacedAndTheTrainingGoesOn) {
  // No renewal is due for minutes: what happens, the keeper's end sets off, and then the signal.
  Launcher launcher = boot({"--lease-time", "600s"}, train_and_tell());
  ASSERT_TRUE(launcher.says("\nready")) << launcher.log();
  const Sight before = seen();
  const auto first = keepers(launcher);
  ASSERT_EQ(first.size(), 1U);
  ::kill(first[0], SIGKILL);
  ASSERT_TRUE(holds_within(std::chrono::seconds(60), [&] { return !seen().same_beat(before); })) << launcher.log();
  EXPECT_EQ(seen().epoch, before.epoch);
  ASSERT_EQ(trainings().size(), 1U);
  EXPECT_TRUE(is_alive(trainings()[0]));
  launcher.signal(SIGTERM);
  EXPECT_EQ(launcher.status(), 143);
  EXPECT_TRUE(seen().released);
}

TEST_F(TwoLaunchers, PodOnAnotherHostWaitsForTheFirstAndThenGoesOnWithItsRun) {
  Launcher first = boot({"--lease-time", "60s"}, train_and_tell(), "log", pod("pod-a"));
  ASSERT_TRUE(first.says("\nready")) << first.log();
  Launcher second = boot({"--lease-time", "60s"}, train_and_tell(), "log2", other_host("pod-b"));
  ASSERT_TRUE(second.says("leased to pod pod-a (since ")) << second.log();
  EXPECT_THAT(second.log(), Not(HasSubstr("another process on this host")));
  EXPECT_EQ(trainings().size(), 1U);
  first.signal(SIGTERM);
  EXPECT_EQ(first.status(), 143);
  ASSERT_TRUE(second.says("phase training: attempt 2")) << second.log();
}

TEST_F(TwoLaunchers, FrozenPodIsTakenOverAndFindsItselfFencedWhenItWakesUp) {
  Launcher first = boot({"--lease-time", "2s", "--grace", "1s"}, train_and_tell(), "log", pod("pod-a"));
  ASSERT_TRUE(first.says("\nready")) << first.log();
  first.signal(SIGSTOP);
  for (const pid_t keeper : keepers(first)) ::kill(keeper, SIGSTOP);
  Launcher second = boot({"--lease-time", "600s"}, train_and_tell(), "log2", other_host("pod-b"));
  ASSERT_TRUE(second.says("no sign of life from pod pod-a")) << second.log();
  ASSERT_TRUE(second.says("phase training: attempt")) << second.log();
  const std::string ledger = read(run_folder() / "ledger.jsonl");
  const auto frozen = keepers(first);
  first.signal(SIGCONT);
  for (const pid_t keeper : frozen) ::kill(keeper, SIGCONT);
  ASSERT_TRUE(first.says("no longer")) << first.log();
  ASSERT_TRUE(first.says("leased to pod pod-b")) << first.log();
  EXPECT_FALSE(is_alive(trainings()[0]));
  EXPECT_EQ(read(run_folder() / "ledger.jsonl"), ledger);
}

TEST_F(TwoLaunchers, RunsOfOneCheckoutWaitForNoMoreThanABootstrap) {
  const fs::path lease = checkout().parent_path() / ".podlaunch/project.lease";
  const Holder other{"pod-x", "another-host", "another-boot", 0};
  auto theirs = Tenure::claim(lease, Sight(), other, {kLong, base::Seconds(0)});
  ASSERT_TRUE(theirs) << theirs.error().message();
  Launcher launcher = boot({"--lease-time", "60s"}, train_and_tell());
  ASSERT_TRUE(launcher.says("pod pod-x (epoch 1) is at work in")) << launcher.log();
  EXPECT_FALSE(fs::exists(checkout()));
  theirs->release();
  ASSERT_TRUE(launcher.says("\nready")) << launcher.log();
  EXPECT_TRUE(lease::look(lease).value_or(Sight()).released);
  launcher.signal(SIGTERM);
  EXPECT_EQ(launcher.status(), 143);

  // A bootstrap that died on another host lasts as long as its lease.
  const Sight before = lease::look(lease).value_or(Sight());
  ASSERT_TRUE(Tenure::claim(lease, before, other, {base::Seconds(1), base::Seconds(0)}));
  Launcher next = boot({"--lease-time", "60s"}, train_and_tell(), "log2");
  ASSERT_TRUE(next.says("is at work in")) << next.log();
  ASSERT_TRUE(next.says("\nready")) << next.log();
}

}  // namespace
