// The real program as a supervisor: told to stop at bad moments, shot at by its own training, its keeper killed.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>

#include "base/unique_fd.h"
#include "podlaunch_world.h"

namespace {

using namespace podlaunch_world;
using testing::HasSubstr;
using testing::Not;

class PodlaunchSupervision : public Podlaunch {
 protected:
  bool preempted() const {
    const json records = status()["records"];
    return std::any_of(records.begin(), records.end(),
                       [](const json& record) { return record["kind"] == "preempted"; });
  }
};

TEST_F(PodlaunchSupervision, StopSignalDuringASetupStepEndsItAndIsWrittenDown) {
  Launcher launcher = boot({"--setup", "echo ready; exec sleep 100"}, {"true"});
  ASSERT_TRUE(launcher.says("\nready\n")) << launcher.log();
  launcher.signal(SIGTERM);
  EXPECT_EQ(launcher.status(), 143) << launcher.log();
  EXPECT_TRUE(preempted());
  EXPECT_EQ(status()["attempts"], 0);
}

TEST_F(PodlaunchSupervision, StopSignalDuringACloneThatNeverAnswersEndsItAndIsWrittenDown) {
  // Takes connections in, and says nothing.
  const base::UniqueFd silent(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(silent.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(silent.get(), 16), 0);
  ASSERT_EQ(::getsockname(silent.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  Words all = words({}, {"true"});
  all[1] = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/project.git";
  Launcher launcher(all, folder_ / "log");
  ASSERT_TRUE(launcher.says("There is no checkout yet")) << launcher.log();
  launcher.signal(SIGTERM);
  EXPECT_EQ(launcher.status(), 143) << launcher.log();
  EXPECT_TRUE(preempted());
}

TEST_F(PodlaunchSupervision, TrainingThatKillsWhoeverHasItsNameDoesNotHitUs) {
  // Only podlaunch was given the mark as an argument; nobody else on this machine has it in its command line.
  const std::string mark = folder_.filename().string() + "-torchrun";
  commit_upstream("kill.sh", "pkill -9 -f \"$MARK\"; pkill -TERM -f \"$MARK\"; echo still here\n");
  Launcher launcher = boot({"--env", "MARK=" + mark, "--on-complete", "exit"}, {"sh", "kill.sh"});
  EXPECT_EQ(launcher.status(), 0) << launcher.log();
  EXPECT_THAT(launcher.log(), HasSubstr("still here"));
  EXPECT_EQ(status()["finished"], true);
}

TEST_F(PodlaunchSupervision, KilledKeeperIsReplacedAndNothingIsLostFromThenOn) {
  const std::string go = (folder_ / "go").string();
  commit_upstream("wait.sh", "echo ready; while [ ! -e " + go + " ]; do sleep 0.05; done; echo after; echo step 9\n");
  Launcher launcher = boot({"--on-complete", "exit"}, {"sh", "wait.sh"});
  ASSERT_TRUE(launcher.says("\nready\n")) << launcher.log();
  // The keeper is the child that is podlaunch as well; helpers have ended by now.
  pid_t keeper = 0;
  const std::string children =
      "/proc/" + std::to_string(launcher.pid()) + "/task/" + std::to_string(launcher.pid()) + "/children";
  std::istringstream list(read(children));
  for (pid_t child = 0; list >> child;) {
    if (read("/proc/" + std::to_string(child) + "/comm") == "podlaunch\n") keeper = child;
  }
  ASSERT_GT(keeper, 1) << read(children);
  ASSERT_EQ(::kill(keeper, SIGKILL), 0);
  write(go, "");
  EXPECT_EQ(launcher.status(), 0) << launcher.log();
  EXPECT_THAT(launcher.log(), HasSubstr("starting another"));
  EXPECT_EQ(status()["finished"], true);
  EXPECT_EQ(status()["best_step"], 9);
  EXPECT_THAT(read(folder_ / "state/r/logs/train.log"), HasSubstr("step 9\n"));
}

TEST_F(PodlaunchSupervision, DaemonisedGrandchildEndsWithTheAttempt) {
  const std::string noted = (folder_ / "daemon").string();
  commit_upstream("daemon.sh", "setsid sh -c 'trap \"\" HUP; echo $$ > " + noted +
                                   "; exec sleep 1000' & while [ ! -s " + noted + " ]; do sleep 0.02; done\n");
  Launcher launcher = boot({"--on-complete", "exit", "--grace", "2s"}, {"sh", "daemon.sh"});
  EXPECT_EQ(launcher.status(), 0) << launcher.log();
  const std::string stat = read("/proc/" + std::to_string(std::atoi(read(noted).c_str())) + "/stat");
  EXPECT_TRUE(stat.empty() || stat.find(") Z ") != std::string::npos) << stat;
}

}  // namespace
