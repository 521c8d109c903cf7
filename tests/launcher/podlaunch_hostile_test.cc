// Trainings that turn on what runs them. podlaunch is the first process of a PID namespace, as in a container: there a
// training that ends all it sees does not end anybody else's processes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "podlaunch_world.h"

namespace {

using namespace podlaunch_world;
using testing::HasSubstr;
using testing::Not;

const Words kContainer{"unshare", "--user", "--map-root-user", "--mount",
                       "--pid",   "--fork", "--mount-proc",    "--kill-child"};

class FirstProcess {
 public:
  FirstProcess(const Words& words, const fs::path& log, Words before = {}) : outside_(words, log, through(before)) {}
  FirstProcess(const FirstProcess&) = delete;
  ~FirstProcess() { signal(SIGKILL); }

  // From outside, as the platform does it.
  void signal(int number) const {
    const std::string outside = std::to_string(outside_.pid());
    const pid_t first = std::atoi(read("/proc/" + outside + "/task/" + outside + "/children").c_str());
    if (first > 1) ::kill(first, number);
  }
  Launcher& launcher() { return outside_; }

 private:
  static Words through(const Words& before) {
    Words all = kContainer;
    all.insert(all.end(), before.begin(), before.end());
    return all;
  }
  Launcher outside_;
};

class Hostile : public Podlaunch {
 protected:
  void SetUp() override {
    Podlaunch::SetUp();
    Words probe = kContainer;
    probe.emplace_back("true");
    std::string line;
    for (const std::string& word : probe) line += word + " ";
    if (std::system((line + "2> /dev/null").c_str()) != 0) GTEST_SKIP() << "no namespace with a /proc of its own";
  }
  Words train(const std::string& script) const {
    return words({"--on-complete", "exit", "--grace", "5s", "--max-attempts", "1", "--on-failure", "exit"},
                 {"sh", "-c", script});
  }
  std::string state() const { return (folder_ / "state").string(); }
  bool is_recorded(const std::string& kind) const {
    const json records = status()["records"];
    return std::any_of(records.begin(), records.end(), [&](const json& record) { return record["kind"] == kind; });
  }
};

TEST_F(Hostile, TrainingThatKillsAllItSeesIsSupervisedToItsEnd) {
  FirstProcess first(train("kill -9 -1; echo step 4"), folder_ / "log");
  EXPECT_EQ(first.launcher().status(), 0) << first.launcher().log();
  EXPECT_EQ(status()["finished"], true);
  EXPECT_EQ(status()["best_step"], 4);
}

TEST_F(Hostile, TrainingThatKillsOurChildrenAgainAndAgainIsSupervisedToItsEnd) {
  const std::string script =
      "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do for p in $(pgrep -P 1); do [ $p = $$ ] || kill -9 $p; done; "
      "echo step $i; sleep 0.05; done; exit 3";
  FirstProcess first(train(script), folder_ / "log");
  EXPECT_EQ(first.launcher().status(), 88) << first.launcher().log();
  EXPECT_EQ(status()["attempts"], 1);
  EXPECT_EQ(status()["last_failure"], "exit 3");
}

TEST_F(Hostile, TrainingThatStopsAllAndItselfIsToldOfAndMaySave) {
  FirstProcess first(train("trap 'echo saved; exit 0' TERM; echo ready; kill -STOP -1; kill -STOP $$; sleep 1000"),
                     folder_ / "log");
  ASSERT_TRUE(first.launcher().says("stopped by signal 19")) << first.launcher().log();
  first.signal(SIGTERM);
  EXPECT_EQ(first.launcher().status(), 143) << first.launcher().log();
  EXPECT_THAT(first.launcher().log(), HasSubstr("saved\n"));
  EXPECT_TRUE(is_recorded("attempt-stopped"));
}

// The flood keeps podlaunch from looking at the signal before its sender has ended.
TEST_F(Hostile, TrainingThatTellsTheFirstProcessToEndIsNotThePlatform) {
  FirstProcess first(
      train("yes | head -c 20M & for i in $(seq 60); do env kill -TERM 1; done; wait; echo; echo step 8"),
      folder_ / "log");
  EXPECT_EQ(first.launcher().status(), 0);
  EXPECT_EQ(status()["best_step"], 8);
}

TEST_F(Hostile, RunThatDeletesItsStateAndCheckoutStaysFinished) {
  const std::string script = "rm -rf " + state() + " \"$PWD\"; kill -9 -1; echo step 5";
  {
    FirstProcess first(train(script), folder_ / "log");
    EXPECT_EQ(first.launcher().status(), 0) << first.launcher().log();
  }
  EXPECT_EQ(status()["finished"], true);
  EXPECT_EQ(status()["attempts"], 1);
  EXPECT_EQ(status()["best_step"], 5);
  FirstProcess again(train(script), folder_ / "log2");
  ASSERT_TRUE(again.launcher().says("will not be run again")) << again.launcher().log();
  EXPECT_THAT(again.launcher().log(), Not(HasSubstr("attempt 2")));
  again.signal(SIGTERM);
  EXPECT_EQ(again.launcher().status(), 143);
}

TEST_F(Hostile, StateThatIsDeletedInEveryAttemptIsCountedAllTheSame) {
  Words all = train("rm -rf " + state() + "; exec sleep 1000");
  all.insert(all.begin(), {"--lease-time", "2s"});  // it cannot be renewed, so the run is taken again
  FirstProcess first(all, folder_ / "log");
  EXPECT_EQ(first.launcher().status(), 88) << first.launcher().log();
  EXPECT_EQ(status()["attempts"], 1);
}

TEST_F(Hostile, FullDiskInPlaceOfADeletedStateHoldsWithTheReason) {
  const std::string mounts = "mkdir -p " + state() + "; mount -t tmpfs -o size=1m none " + state() + "; exec \"$@\"";
  FirstProcess first(train("rm -rf " + state() + "/*; cat /dev/zero > " + state() + "/fill; echo step 5"),
                     folder_ / "log", {"sh", "-c", mounts, "sh"});
  ASSERT_TRUE(first.launcher().says("(ledger-unusable)")) << first.launcher().log();
  EXPECT_THAT(first.launcher().log(), HasSubstr("No space left on device"));
  EXPECT_FALSE(first.launcher().ends_within(std::chrono::milliseconds(300))) << first.launcher().log();
  first.signal(SIGTERM);
  EXPECT_EQ(first.launcher().status(), 143) << first.launcher().log();
}

TEST_F(Hostile, TrainingWithoutDescriptorsIsSupervisedToItsEnd) {
  FirstProcess first(train("exec 0<&- 1>&- 2>&-; sleep 0.3; echo lost; exit 4"), folder_ / "log");
  EXPECT_EQ(first.launcher().status(), 88) << first.launcher().log();
  EXPECT_EQ(status()["attempts"], 1);
}

TEST_F(Hostile, FloodOfOutputIsCappedAndItsLastLineIsSeen) {
  FirstProcess first(train("head -c 100M /dev/zero; echo; echo step 6"), folder_ / "log");
  EXPECT_EQ(first.launcher().status(), 0);
  EXPECT_EQ(status()["best_step"], 6);
  std::uintmax_t kept = 0;
  for (const auto& file : fs::directory_iterator(folder_ / "state/r/logs")) kept += file.file_size();
  EXPECT_LE(kept, std::uintmax_t{64} << 20U);
}

// A setup step leaves them, so that the training sees whether they are gone.
TEST_F(Hostile, HundredsOfDaemonsThatIgnoreEverySignalEndWithTheirStep) {
  commit_upstream("daemons.sh",
                  "for i in $(seq 200); do setsid sh -c 'trap \"\" TERM HUP INT; echo > begun/$0; while :; do sleep 2; "
                  "done' $i & done; while [ $(ls begun | wc -l) -lt 200 ]; do sleep 0.05; done\n");
  Words all = train("set -- /proc/[1-9]*; echo left: $#.");
  all.insert(all.begin(), {"--setup", "mkdir begun && sh daemons.sh", "--grace", "1s"});
  all.erase(std::find(all.begin() + 4, all.end(), "--grace"), std::find(all.begin() + 4, all.end(), "5s") + 1);
  FirstProcess first(all, folder_ / "log");
  EXPECT_EQ(first.launcher().status(), 0) << first.launcher().log();
  EXPECT_THAT(first.launcher().log(), testing::ContainsRegex("left: [1-9]\\."));
}

// A scheduler that owns the retries would wait for ever for a job that nobody can mend from outside.
TEST_F(Hostile, ConfigurationThatCannotBeUnderstoodIsLeftWhereSomebodyElseOwnsTheRetries) {
  const std::vector<Words> asked = {{"--on-failure", "exit", "--chekout", "/x"}, {"--on-failure=exit", "--repo"}};
  for (const Words& words : asked) {
    FirstProcess first(words, folder_ / "log");
    EXPECT_EQ(first.launcher().status(), 2) << first.launcher().log();
  }
  FirstProcess first({"--chekout", "/x"}, folder_ / "log", {"env", "PODLAUNCH_ON_FAILURE=exit"});
  EXPECT_EQ(first.launcher().status(), 2) << first.launcher().log();
  FirstProcess holds({"--chekout", "/x", "--", "train", "--on-failure", "exit"}, folder_ / "log");
  EXPECT_TRUE(holds.launcher().says("staying alive")) << holds.launcher().log();
}

}  // namespace
