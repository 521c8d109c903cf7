// The real program, end to end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "podlaunch_world.h"

namespace {

using namespace podlaunch_world;
using testing::HasSubstr;
using testing::Not;

TEST_F(Podlaunch, FirstBootClonesSetsUpTrainsAndTheSecondFindsTheRunFinished) {
  const Words extra{"--setup", "echo installed >> ../installed", "--on-complete", "exit"};
  Launcher first = boot(extra, train_script());
  EXPECT_EQ(first.status(), 0) << first.log();
  EXPECT_THAT(first.log(), HasSubstr("attempt 1 of r from \n"));
  EXPECT_THAT(first.log(), HasSubstr("podlaunch: finished:"));
  EXPECT_EQ(read(checkout() / "setup.py"), "first\n");
  EXPECT_THAT(read(folder_ / "state/r/logs/train.log"), HasSubstr("step 3\n"));

  commit_upstream("setup.py", "second\n");
  Launcher second = boot(extra, train_script(), "log2");
  EXPECT_EQ(second.status(), 0) << second.log();
  EXPECT_THAT(second.log(), HasSubstr("podlaunch: finished:"));
  EXPECT_THAT(second.log(), Not(HasSubstr("attempt"
                                          " 2")));
  EXPECT_EQ(status()["attempts"], 1);
  EXPECT_EQ(status()["state"], "finished");
  EXPECT_EQ(status()["best_step"], 3);
}

TEST_F(Podlaunch, TimeOfTheAttemptThatFinishesIsTraining) {
  EXPECT_EQ(boot({"--on-complete", "exit"}, {"sleep", "2"}).status(), 0);
  EXPECT_GE(status()["seconds_used"], 2);
  EXPECT_GE(status()["seconds_paid"], status()["seconds_used"]);
}

TEST_F(Podlaunch, StepIsSkippedUntilAManifestChanges) {
  const Words extra{"--setup", "echo installed >> ../installed", "--on-complete", "exit"};
  const auto once = [&](const std::string& name) {
    Words all = words(extra, train_script());
    *std::find(all.begin(), all.end(), "r") = name;
    Launcher launcher(all, folder_ / "log");
    EXPECT_EQ(launcher.status(), 0) << launcher.log();
  };
  once("a");
  once("b");
  EXPECT_EQ(read(checkout().parent_path() / "installed"), "installed\n");
  commit_upstream("setup.py", "second\n");
  once("c");
  EXPECT_EQ(read(checkout().parent_path() / "installed"), "installed\ninstalled\n");
}

TEST_F(Podlaunch, StepIsRunAgainWhenTheCheckoutHasBeenClonedAnew) {
  const Words extra{"--setup", "echo installed >> ../installed", "--on-complete", "exit", "--max-attempts", "9"};
  const Words train{"sh", "-c", "exit 0"};
  EXPECT_EQ(boot(extra, train).status(), 0);
  fs::remove_all(checkout());
  Words again = words(extra, train);
  *std::find(again.begin(), again.end(), "r") = "again";
  EXPECT_EQ(Launcher(again, folder_ / "log2").status(), 0);
  EXPECT_EQ(read(checkout().parent_path() / "installed"), "installed\ninstalled\n");
}

TEST_F(Podlaunch, FinishedRunStaysAliveUntilToldToEnd) {
  Launcher launcher = boot({}, train_script());
  ASSERT_TRUE(launcher.says("podlaunch: finished:")) << launcher.log();
  EXPECT_FALSE(launcher.ends_within(std::chrono::seconds(1)));
  launcher.signal(SIGTERM);
  EXPECT_EQ(launcher.status(), 143);
}

TEST_F(Podlaunch, StopSignalIsForwardedWrittenDownAndTheNextBootResumes) {
  commit_upstream("slow.sh",
                  "trap 'echo {} > $1/ckpt-7.json; exit 0' TERM\necho step 5 from $PODLAUNCH_RESUME_FROM\nwhile :; do "
                  "sleep 0.05; done\n");
  const Words train{"sh", "slow.sh", (folder_ / "out").string()};
  Launcher first = boot({}, train);
  ASSERT_TRUE(first.says("step 5")) << first.log();
  EXPECT_EQ(status()["state"], "training");
  EXPECT_EQ(status()["active"], true);
  first.signal(SIGTERM);
  EXPECT_EQ(first.status(), 143) << first.log();
  EXPECT_EQ(status()["finished"], false);
  EXPECT_EQ(status()["best_step"], 5);
  const json records = status()["records"];
  const auto preempted = [](const json& record) { return record["kind"] == "preempted"; };
  EXPECT_TRUE(std::any_of(records.begin(), records.end(), preempted)) << records;

  Launcher second = boot({}, train, "log2");
  ASSERT_TRUE(second.says("step 5 from " + (folder_ / "out/ckpt-7.json").string())) << second.log();
}

// Retries, the hold after them and its release are played in scenarios/failure_held_then_resumed.yaml, without their
// waits.

TEST_F(Podlaunch, HoldSurvivesARestartAndAnswersTheStopSignalAtOnce) {
  commit_upstream("fail.sh", "exit 3\n");
  // One attempt is all that is allowed: the next boot has none left.
  Launcher first = boot({"--max-attempts", "1"}, {"sh", "fail.sh"});
  ASSERT_TRUE(first.says("podlaunch: hold:")) << first.log();
  first.signal(SIGTERM);
  EXPECT_EQ(first.status(), 143);
  Launcher second = boot({"--max-attempts", "1"}, {"sh", "fail.sh"}, "log2");
  ASSERT_TRUE(second.says("podlaunch: hold:")) << second.log();
  second.signal(SIGTERM);
  EXPECT_EQ(second.status(), 143);
  EXPECT_EQ(status()["attempts"], 1);
}

TEST_F(Podlaunch, FailureExitsWithItsCodeWhereASchedulerOwnsRetries) {
  commit_upstream("fail.sh", "exit 3\n");
  Launcher launcher = boot({"--max-attempts", "1", "--on-failure", "exit"}, {"sh", "fail.sh"});
  EXPECT_EQ(launcher.status(), 88) << launcher.log();
}

TEST_F(Podlaunch, LostCheckpointsHoldInsteadOfStartingAgainFromNothing) {
  commit_upstream("part.sh",
                  "echo {} > $1/ckpt-4.json; trap 'exit 1' TERM; echo ready; while :; do sleep 0.05; done\n");
  const Words train{"sh", "part.sh", (folder_ / "out").string()};
  Launcher first = boot({}, train);
  ASSERT_TRUE(first.says("ready")) << first.log();
  first.signal(SIGTERM);
  ASSERT_EQ(first.status(), 143) << first.log();
  fs::remove_all(folder_ / "out");
  fs::create_directories(folder_ / "out");
  Launcher second = boot({}, train, "log2");
  ASSERT_TRUE(second.says("checkpoints-lost")) << second.log();
  second.signal(SIGTERM);
  EXPECT_EQ(second.status(), 143);
  Launcher third = boot({"--allow-restart-from-zero"}, train, "log3");
  EXPECT_TRUE(third.says("ready")) << third.log();
}

TEST_F(Podlaunch, TwoLaunchersOfOneRunDoNotTrainTwice) {
  Launcher first = boot({}, {"sh", "-c", "echo ready; exec sleep 100"});
  ASSERT_TRUE(first.says("ready")) << first.log();
  Launcher second = boot({}, {"sh", "-c", "echo ready; exec sleep 100"}, "log2");
  ASSERT_TRUE(second.says("leased-elsewhere")) << second.log();
  second.signal(SIGTERM);
  EXPECT_EQ(second.status(), 143);
  EXPECT_THAT(second.log(), Not(HasSubstr("ready")));
}

TEST_F(Podlaunch, DoneWhenTheLogSaysSoThoughTheExitStatusDoesNot) {
  Launcher launcher = boot({"--done-when", "log:training complete", "--on-complete", "exit"},
                           {"sh", "-c", "echo Training complete.; exit 1"});
  EXPECT_EQ(launcher.status(), 0) << launcher.log();
  EXPECT_EQ(status()["state"], "finished");
}

TEST_F(Podlaunch, SecretsReachTheTrainingAndNothingThatIsKept) {
  ::setenv("WANDB_API_KEY", "0f3a99c1d2e4b5a6978", 1);
  Launcher launcher =
      boot({"--secret", "WANDB_API_KEY"}, {"sh", "-c",
                                           "echo \"key $WANDB_API_KEY\"; echo \"Traceback (most recent call last):\"; "
                                           "echo \"ValueError: $WANDB_API_KEY\"; exit 1"});
  ASSERT_TRUE(launcher.says("phase retry")) << launcher.log();
  launcher.signal(SIGTERM);
  EXPECT_EQ(launcher.status(), 143);
  ::unsetenv("WANDB_API_KEY");
  for (const auto& entry : fs::recursive_directory_iterator(folder_ / "state")) {
    EXPECT_THAT(entry.is_regular_file() ? read(entry.path()) : "", Not(HasSubstr("0f3a99c1"))) << entry.path();
  }
  EXPECT_THAT(read(folder_ / "state/r/logs/train.log"), HasSubstr("key [secret]"));
}

TEST_F(Podlaunch, KilledLauncherIsAnUncleanEndAndNothingBlocksTheNextBoot) {
  Launcher first = boot({}, {"sh", "-c", "echo ready; exec sleep 100"});
  ASSERT_TRUE(first.says("ready")) << first.log();
  first.signal(SIGKILL);
  EXPECT_EQ(first.status(), 137);
  Launcher second = boot({}, {"sh", "-c", "echo again; exec sleep 100"}, "log2");
  ASSERT_TRUE(second.says("again")) << second.log();
  EXPECT_EQ(status()["counters"]["unclean_ends"], 1);
}

TEST_F(Podlaunch, UnusableStateHoldsInsteadOfCountingNothing) {
  write(folder_ / "state", "a file where a folder is needed");
  Launcher launcher = boot({}, {"sh", "-c", "echo ready"});
  ASSERT_TRUE(launcher.says("ledger-unusable")) << launcher.log();
  EXPECT_THAT(launcher.log(), Not(HasSubstr("ready")));
  launcher.signal(SIGTERM);
  EXPECT_EQ(launcher.status(), 143);
}

TEST_F(Podlaunch, CheckSaysWhatIsWrongAndTouchesNothing) {
  Launcher good(
      [this] {
        Words all = words({}, {"true"});
        all.insert(all.begin(), "check");
        return all;
      }(),
      folder_ / "good");
  EXPECT_EQ(good.status(), 0) << good.log();
  Launcher bad({"check", "--repo", "https://a:b@example.org/x", "--checkout", checkout().string(), "--", "true"},
               folder_ / "bad");
  EXPECT_EQ(bad.status(), 2);
  EXPECT_THAT(bad.log(), HasSubstr("password"));
  Launcher usage({"--chekout", "/x"}, folder_ / "usage");
  EXPECT_EQ(usage.status(), 2);
  EXPECT_THAT(usage.log(), HasSubstr("--checkout"));
  EXPECT_FALSE(fs::exists(folder_ / "disk"));
  EXPECT_FALSE(fs::exists(folder_ / "state"));
}

TEST_F(Podlaunch, ExplainSaysWhatABootWouldDoAndChangesNothing) {
  Launcher explain(
      [this] {
        Words all = words({"--setup", "make"}, {"true"});
        all.insert(all.begin(), "explain");
        return all;
      }(),
      folder_ / "log");
  EXPECT_EQ(explain.status(), 0) << explain.log();
  EXPECT_THAT(explain.log(), HasSubstr("clone"));
  EXPECT_FALSE(fs::exists(folder_ / "disk"));
  EXPECT_FALSE(fs::exists(folder_ / "state"));
}

}  // namespace
