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

// The keeper is the child that is podlaunch as well; helpers have ended while a training runs.
pid_t keeper_of(pid_t launcher) {
  std::istringstream list(
      read("/proc/" + std::to_string(launcher) + "/task/" + std::to_string(launcher) + "/children"));
  for (pid_t child = 0; list >> child;) {
    if (read("/proc/" + std::to_string(child) + "/comm") == "podlaunch\n") return child;
  }
  return 0;
}

long resident_kibibytes(pid_t process) {
  const std::string status = read("/proc/" + std::to_string(process) + "/status");
  const std::size_t at = status.find("VmRSS:");
  return at == std::string::npos ? 0 : std::atol(status.c_str() + at + 6);
}

TEST_F(PodlaunchSupervision, SupervisingCostsLittleMemory) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the sanitizer's own memory is counted, too";
#endif
  Launcher launcher = boot({}, {"sh", "-c", "echo ready; exec sleep 100"});
  ASSERT_TRUE(launcher.says("\nready\n")) << launcher.log();
  // ./dev bench prints the figure that matters, of the release build; this catches what grows out of bounds, and a
  // launcher that no longer gives back what only beginning needed: it would hold 12 MiB.
  constexpr long kBoundKibibytes = 10 * 1024;
  for (const pid_t process : {launcher.pid(), keeper_of(launcher.pid())}) {
    EXPECT_GT(resident_kibibytes(process), 0);
    EXPECT_LT(resident_kibibytes(process), kBoundKibibytes);
  }
}

// Each process of one boot writes a trace of its own, with the paths behind descriptors and without what is written.
TEST_F(PodlaunchSupervision, FirstProcessTouchesNoDiskThatMayHang) {
  if (std::system("command -v strace > /dev/null") != 0) GTEST_SKIP() << "strace is not installed";
  const std::string traces = (folder_ / "trace").string();
  const Words strace{"strace", "-f", "-ff", "-qq", "-y", "-s", "0", "-e", "trace=%file,%desc", "-o", traces};
  write(folder_ / "disk/podlaunch.yaml", "max-attempts: 5\n");
  Launcher launcher(words({"--setup", "true", "--on-complete", "exit", "--config", (folder_ / "disk/podlaunch.yaml")},
                          train_script()),
                    folder_ / "log", strace);
  ASSERT_EQ(launcher.status(), 0) << launcher.log();
  int traced = 0;
  bool helpers_touch = false;
  for (const auto& entry : fs::directory_iterator(folder_)) {
    if (!entry.path().filename().string().starts_with("trace.")) continue;
    std::ifstream trace(entry.path());
    bool is_first = false;
    for (std::string line; std::getline(trace, line);) {
      const bool is_exec = line.starts_with("execve(");
      is_first = is_first || (is_exec && line.find(kPodlaunch) != std::string::npos);
      traced += is_exec && is_first ? 1 : 0;
      if (is_exec) continue;
      for (const char* disk : {"state", "disk", "out"}) {
        const bool touches = line.find((folder_ / disk).string()) != std::string::npos;
        EXPECT_FALSE(touches && is_first) << line;
        helpers_touch = helpers_touch || touches;
      }
    }
  }
  EXPECT_EQ(traced, 1);
  EXPECT_TRUE(helpers_touch) << "the traces show nothing, so they prove nothing";
}

TEST_F(PodlaunchSupervision, KilledKeeperIsReplacedAndNothingIsLostFromThenOn) {
  const std::string go = (folder_ / "go").string();
  commit_upstream("wait.sh", "echo ready; while [ ! -e " + go + " ]; do sleep 0.05; done; echo after; echo step 9\n");
  Launcher launcher = boot({"--on-complete", "exit"}, {"sh", "wait.sh"});
  ASSERT_TRUE(launcher.says("\nready\n")) << launcher.log();
  const pid_t keeper = keeper_of(launcher.pid());
  ASSERT_GT(keeper, 1);
  ASSERT_EQ(::kill(keeper, SIGKILL), 0);
  write(go, "");
  EXPECT_EQ(launcher.status(), 0) << launcher.log();
  EXPECT_THAT(launcher.log(), HasSubstr("starting another"));
  EXPECT_EQ(status()["finished"], true);
  EXPECT_EQ(status()["best_step"], 9);
  const std::string kept = read(folder_ / "state/r/logs/train.log");
  EXPECT_THAT(kept, HasSubstr("step 9\n"));
  // Else a file that begins later would not say of which attempt it is.
  EXPECT_THAT(kept, testing::ContainsRegex("--- podlaunch: attempt 1, [^\n]*another keeper"));
}

// Else the run would be held as if its disk hung, and a lease would run out.
TEST_F(PodlaunchSupervision, StoppedKeeperGoesOnAtOnce) {
  commit_upstream("stop.sh",
                  "for process in $(pgrep -x podlaunch -P $PPID); do kill -STOP $process; done; echo step 9\n");
  Launcher launcher = boot({"--on-complete", "exit"}, {"sh", "stop.sh"});
  EXPECT_EQ(launcher.status(), 0) << launcher.log();
  EXPECT_THAT(launcher.log(), Not(HasSubstr("did not answer")));
  EXPECT_EQ(status()["finished"], true);
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
