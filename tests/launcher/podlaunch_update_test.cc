// Updates from end to end: which commit a boot trains on, and what it says about that.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "podlaunch_world.h"

namespace {

using namespace podlaunch_world;
using testing::HasSubstr;
using testing::Not;

class PodlaunchUpdate : public Podlaunch {
 protected:
  void SetUp() override {
    Podlaunch::SetUp();
    commit_upstream("version", "1\n");
    commit_upstream("train.sh",
                    "trap 'exit 1' TERM\necho \"version $(cat version)\"\n"
                    "if [ -e ../save ]; then echo {} > $1/ckpt-$(cat ../save).json; fi\n"
                    "echo at work; while :; do sleep 0.05; done\n");
  }
  // One boot that trains until it is told to stop.
  std::string trained(const Words& extra) {
    const std::string log = "log" + std::to_string(++boots_);
    Launcher launcher = boot(extra, train_script(), log);
    EXPECT_TRUE(launcher.says("\nat work")) << launcher.log();
    launcher.signal(SIGTERM);
    EXPECT_EQ(launcher.status(), 143) << launcher.log();
    return launcher.log();
  }
  void save(const std::string& number) const { write(checkout().parent_path() / "save", number); }

 private:
  int boots_ = 0;
};

TEST_F(PodlaunchUpdate, AlwaysFollowsUpstreamAndSaysLoudlyThatTheCodeChangedUnderACheckpoint) {
  save("1");
  EXPECT_THAT(trained({}), HasSubstr("\nversion 1\n"));
  save("2");
  EXPECT_THAT(trained({}), Not(HasSubstr("the code has changed")));
  commit_upstream("version", "2\n");
  const std::string log = trained({});
  EXPECT_THAT(log, HasSubstr("\nversion 2\n"));
  EXPECT_THAT(log, HasSubstr("warning: the code has changed since the newest checkpoint was written"));
}

TEST_F(PodlaunchUpdate, NeverStaysWhereItWasCloned) {
  EXPECT_THAT(trained({"--update", "never"}), HasSubstr("\nversion 1\n"));
  commit_upstream("version", "2\n");
  EXPECT_THAT(trained({"--update", "never"}), HasSubstr("\nversion 1\n"));
}

TEST_F(PodlaunchUpdate, UntilCheckpointFollowsUntilThereIsOne) {
  const Words extra{"--update", "until-checkpoint"};
  EXPECT_THAT(trained(extra), HasSubstr("\nversion 1\n"));
  commit_upstream("version", "2\n");
  save("1");
  EXPECT_THAT(trained(extra), HasSubstr("\nversion 2\n"));
  commit_upstream("version", "3\n");
  EXPECT_THAT(trained(extra), HasSubstr("\nversion 2\n"));
}

TEST_F(PodlaunchUpdate, OncePerRunStaysForTheRunAndFollowsForTheNext) {
  EXPECT_THAT(trained({"--update", "once-per-run"}), HasSubstr("\nversion 1\n"));
  commit_upstream("version", "2\n");
  EXPECT_THAT(trained({"--update", "once-per-run"}), HasSubstr("\nversion 1\n"));
  Words all = words({"--update", "once-per-run"}, train_script());
  *std::find(all.begin(), all.end(), "r") = "another";
  Launcher launcher(all, folder_ / "other-log");
  EXPECT_TRUE(launcher.says("\nversion 2\n")) << launcher.log();
}

TEST_F(PodlaunchUpdate, TagOrCommitIsTrainedAsItIs) {
  shell("cd work && git tag -a v1 -m one && git push -q up v1");
  const std::string commit = read(folder_ / "work/.git/refs/heads/main").substr(0, 40);
  commit_upstream("version", "2\n");
  for (const std::string& ref : {std::string("v1"), commit}) {
    Words all = words({}, train_script());
    *std::find(all.begin(), all.end(), "main") = ref;
    *std::find(all.begin(), all.end(), "r") = "of-" + ref;
    Launcher launcher(all, folder_ / "log");
    EXPECT_TRUE(launcher.says("\nversion 1\n")) << launcher.log();
  }
}

TEST_F(PodlaunchUpdate, BranchThatIsGoneUpstreamIsSaidAndTheCheckoutTrainsAsItIs) {
  trained({});
  shell(
      "cd work && git push -q up main:other && git -C ../upstream.git symbolic-ref HEAD refs/heads/other && "
      "git push -q up :main");
  const std::string log = trained({});
  EXPECT_THAT(log, HasSubstr("\nversion 1\n"));
  EXPECT_THAT(log, HasSubstr("has no such branch"));
}

TEST_F(PodlaunchUpdate, DepthFetchesNoMoreThanThat) {
  trained({"--depth", "1"});
  commit_upstream("version", "2\n");
  EXPECT_THAT(trained({"--depth", "1"}), HasSubstr("\nversion 2\n"));
  EXPECT_NE(read(checkout() / ".git/shallow"), "");
  shell("test $(git -C disk/project rev-list --count HEAD) -lt 4 && git -C disk/project fsck --full");
}

TEST_F(PodlaunchUpdate, LocalChangesAreKeptOrSetAsideAsAsked) {
  trained({});
  write(checkout() / "version", "mine\n");
  commit_upstream("version", "2\n");
  const std::string kept = trained({});
  EXPECT_THAT(kept, HasSubstr("\nversion mine\n"));
  EXPECT_THAT(kept, HasSubstr("Local changes are in the way"));
  const std::string aside = trained({"--local-changes", "set-aside"});
  EXPECT_THAT(aside, HasSubstr("\nversion 2\n"));
  EXPECT_THAT(aside, HasSubstr("refs/podlaunch/rescue/"));
  shell(
      "git -C disk/project for-each-ref --format='%(refname)' refs/podlaunch/rescue | "
      "while read ref; do git -C disk/project show $ref:version; done | grep -q mine");
}

// Root may read everything, so the closed folder is met as somebody else.
TEST_F(PodlaunchUpdate, ClosedHomeDoesNotKeepTheRemoteAway) {
  write(home() / ".gitconfig", "[user]\n\tname = x\n");
  shell("mkdir -p disk state && chmod -R a+rwX . && chmod 000 home");
  Words through;
  if (::getuid() == 0) {
    shell("chown -R 65534 upstream.git");  // git trusts a remote on this machine for its owner alone
    through = {"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"};
  }
  for (const char* transport : {"libgit2", "git"}) {
    shell("rm -rf disk/project disk/.podlaunch");
    Launcher launcher = boot({"--transport", transport}, train_script(), std::string("log-") + transport, through);
    EXPECT_TRUE(launcher.says("\nversion 1\n")) << launcher.log();
    launcher.signal(SIGTERM);
    EXPECT_EQ(launcher.status(), 143) << launcher.log();
  }
  shell("chmod 700 home");
}

}  // namespace
