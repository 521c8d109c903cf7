// What people type beside a run: which run is meant, and what has been printed. What they find without any argument is
// played in scenarios/commands_over_ssh.yaml, in a world without other launchers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>

#include "podlaunch_world.h"

namespace {

using namespace podlaunch_world;
using testing::HasSubstr;
using testing::Not;

class PodlaunchCommands : public Podlaunch {
 protected:
  std::string state() const { return (folder_ / "state").string(); }
  // What it printed, whatever it was.
  std::string ask(const Words& words, int expected_status = 0) const {
    Launcher launcher(words, folder_ / "asked");
    EXPECT_EQ(launcher.status(), expected_status) << launcher.log();
    return launcher.log();
  }
};

TEST_F(PodlaunchCommands, LogsShowAllThatWasPrintedOrOneAttempt) {
  // What is printed twice tells the attempts apart without a retry and its wait: the launcher is told to stop between.
  commit_upstream("twice.sh",
                  "echo this is attempt $PODLAUNCH_ATTEMPT; [ $PODLAUNCH_ATTEMPT = 2 ] || exec sleep 100\n");
  {
    Launcher launcher = boot({"--setup", "echo installed"}, {"sh", "twice.sh"});
    ASSERT_TRUE(launcher.says("this is attempt 1")) << launcher.log();
    launcher.signal(SIGTERM);
    EXPECT_EQ(launcher.status(), 143);
  }
  Launcher launcher = boot({"--setup", "echo installed", "--on-complete", "exit"}, {"sh", "twice.sh"}, "log2");
  EXPECT_EQ(launcher.status(), 0) << launcher.log();
  const std::string all = ask({"logs", "--state", state(), "--run", "r"});
  EXPECT_THAT(all, HasSubstr("--- podlaunch: setup: echo installed ---\ninstalled\n"));
  EXPECT_THAT(all, HasSubstr("this is attempt 1\n--- podlaunch: attempt 2, "));
  const std::string second = ask({"logs", "--state", state(), "--run", "r", "--attempt", "2"});
  EXPECT_THAT(second, HasSubstr("this is attempt 2\n"));
  EXPECT_THAT(second, Not(HasSubstr("this is attempt 1")));
  EXPECT_THAT(second, Not(HasSubstr("installed")));
  EXPECT_THAT(ask({"logs", "--state", state(), "--run", "r", "--attempt", "7"}, 1), HasSubstr("attempt 7"));
}

TEST_F(PodlaunchCommands, LogsFollowUntilTheLauncherIsGone) {
  const std::string go = (folder_ / "go").string();
  commit_upstream("wait.sh", "echo begun; while [ ! -e " + go + " ]; do sleep 0.05; done; echo ended\n");
  Launcher launcher = boot({"--on-complete", "exit"}, {"sh", "wait.sh"});
  ASSERT_TRUE(launcher.says("begun")) << launcher.log();
  Launcher follower({"logs", "--follow", "--state", state(), "--run", "r"}, folder_ / "followed");
  ASSERT_TRUE(follower.says("begun")) << follower.log();
  EXPECT_THAT(follower.log(), Not(HasSubstr("ended")));
  write(go, "");
  EXPECT_EQ(launcher.status(), 0);
  EXPECT_EQ(follower.status(), 0);
  EXPECT_THAT(follower.log(), HasSubstr("begun\nended\n"));
}

TEST_F(PodlaunchCommands, LogsFollowProgressBarsOfOneAttempt) {
  commit_upstream("bar.sh", "printf ' 50%%|#####     |\\r'; exec sleep 100\n");
  Launcher launcher = boot({}, {"sh", "bar.sh"});
  ASSERT_TRUE(launcher.says("50%")) << launcher.log();
  Launcher follower({"logs", "--follow", "--attempt", "1", "--state", state(), "--run", "r"}, folder_ / "followed");
  EXPECT_TRUE(follower.says("50%|#####     |\r")) << launcher.log();
}

// A gibibyte: whoever gathers it, or looks at it again and again, is not done within a minute.
TEST_F(PodlaunchCommands, LogsOfAnAttemptDoNotGatherAnEndlessLine) {
  write(folder_ / "state/r/logs/train.log.1",
        "--- podlaunch: attempt 1, x ---\nfirst\n--- podlaunch: attempt 2, x ---\n");
  write(folder_ / "state/r/logs/train.log", "--- podlaunch: attempt 1");
  fs::resize_file(folder_ / "state/r/logs/train.log", std::uintmax_t{1} << 30U);
  EXPECT_THAT(ask({"logs", "--state", state(), "--run", "r", "--attempt", "1"}),
              testing::EndsWith("attempt 1, x ---\nfirst\n"));
}

TEST_F(PodlaunchCommands, StateAloneNamesTheOnlyRunThere) {
  EXPECT_EQ(boot({"--on-complete", "exit"}, train_script()).status(), 0);
  EXPECT_THAT(ask({"status", "--state", state()}), HasSubstr("run          r\n"));
  Words second = words({"--on-complete", "exit"}, train_script());
  *std::find(second.begin(), second.end(), "r") = "s";
  EXPECT_EQ(Launcher(second, folder_ / "log2").status(), 0);
  EXPECT_THAT(ask({"status", "--state", state()}, 1), HasSubstr("several runs in " + state() + ": r, s"));
  EXPECT_THAT(ask({"status", "--state", state(), "--run", "s"}), HasSubstr("run          s\n"));
}

TEST_F(PodlaunchCommands, StateThatIsGivenIsNotMixedWithTheRunOfALauncherThatIsThere) {
  Launcher launcher = boot({}, {"sh", "-c", "echo ready; exec sleep 100"});
  ASSERT_TRUE(launcher.says("\nready\n")) << launcher.log();
  const std::string elsewhere = (folder_ / "elsewhere").string();
  fs::create_directories(elsewhere);
  EXPECT_THAT(ask({"status", "--state", elsewhere}, 1), HasSubstr("there is no run in " + elsewhere));
  EXPECT_THAT(ask({"explain", "--state", elsewhere}, 2), Not(HasSubstr("ready")));
  EXPECT_THAT(ask({"logs", "--state", elsewhere, "--run", "r"}, 1), Not(HasSubstr("ready")));
}

TEST_F(PodlaunchCommands, RunThatIsNotThereIsToldFromANewOne) {
  EXPECT_EQ(boot({"--on-complete", "exit"}, train_script()).status(), 0);
  const std::string file = (folder_ / "state/r/ledger.jsonl").string();
  const std::string absent = (folder_ / "staet").string();
  const std::string empty = (folder_ / "out").string();
  for (const char* command : {"status", "logs", "resume"}) {
    const auto asked = [&](const std::string& where, const std::string& run) {
      return ask({command, "--state", where, "--run", run}, 1);
    };
    EXPECT_THAT(asked(state(), "typo"), HasSubstr("run typo was not found: the runs in " + state() + " are r. "));
    EXPECT_THAT(asked(absent, "r"), HasSubstr("run r was not found: there is no folder " + absent));
    EXPECT_THAT(asked(empty, "r"), HasSubstr("run r was not found: there is no run in " + empty));
    EXPECT_THAT(asked(file, "r"), HasSubstr(file + " cannot be looked into: Not a directory"));
    EXPECT_THAT(ask({command, "--state", file}, 1), HasSubstr(file + " cannot be looked into: Not a directory"));
  }
  EXPECT_FALSE(fs::exists(folder_ / "state/typo"));
  const json document = json::parse(ask({"status", "--json", "--state", state(), "--run", "typo"}, 1), nullptr, false);
  EXPECT_THAT(document["error"].value("message", ""), HasSubstr("run typo was not found"));
}

TEST_F(PodlaunchCommands, RunThatHasNotBegunIsExplainedAndSaidToBeNew) {
  EXPECT_EQ(boot({"--on-complete", "exit"}, train_script()).status(), 0);
  Words explain = words({}, train_script());
  explain.insert(explain.begin(), "explain");
  EXPECT_THAT(ask(explain), Not(HasSubstr("is new")));
  *std::find(explain.begin(), explain.end(), "r") = "next";
  EXPECT_THAT(ask(explain), HasSubstr("run          next is new: the runs in " + state() + " are r\n"));
  // Nobody has named it: it follows from the rest.
  explain.front() = "status";
  explain.erase(std::find(explain.begin(), explain.end(), "--run"),
                std::find(explain.begin(), explain.end(), "next") + 1);
  EXPECT_THAT(ask(explain), HasSubstr("state        new"));
}

TEST_F(PodlaunchCommands, FifosFoldersAndLinksInPlaceOfTheRunsFilesKeepNobodyWaiting) {
  EXPECT_EQ(boot({"--on-complete", "exit"}, train_script()).status(), 0);
  const fs::path run = folder_ / "state/r";
  using Put = std::function<void(const fs::path&)>;
  const Put fifo = [](const fs::path& path) { ASSERT_EQ(::mkfifo(path.c_str(), 0644), 0); };
  const Put folder = [](const fs::path& path) { fs::create_directory(path); };
  const Put link = [](const fs::path& path) { fs::create_symlink(path.filename(), path); };
  for (const Put& put : {fifo, folder, link}) {
    for (const char* file : {"logs/train.log", "lease.lock", "ledger.jsonl"}) {
      fs::rename(run / file, folder_ / "aside");
      put(run / file);
      const bool is_log = std::string(file) == "logs/train.log";
      const bool is_ledger = std::string(file) == "ledger.jsonl";
      ask({"status", "--state", state(), "--run", "r"}, is_ledger ? 1 : 0);
      const json document =
          json::parse(ask({"status", "--json", "--state", state(), "--run", "r"}, is_ledger ? 1 : 0), nullptr, false);
      EXPECT_EQ(document.value("error", json()).is_object(), is_ledger) << document;
      ask({"logs", "--state", state(), "--run", "r"}, is_log ? 1 : 0);
      ask({"resume", "--state", state(), "--run", "r"}, is_ledger ? 0 : 1);
      fs::remove(run / "resume");
      fs::remove_all(run / file);
      fs::rename(folder_ / "aside", run / file);
    }
  }
}

TEST_F(PodlaunchCommands, FifoInPlaceOfTheKeptLogCostsTheLogAlone) {
  fs::create_directories(folder_ / "state/r/logs");
  ASSERT_EQ(::mkfifo((folder_ / "state/r/logs/train.log").c_str(), 0644), 0);
  Launcher launcher = boot({"--on-complete", "exit"}, train_script());
  EXPECT_EQ(launcher.status(), 0) << launcher.log();
  EXPECT_THAT(launcher.log(), Not(HasSubstr("starting another")));
  EXPECT_EQ(status()["state"], "finished");
}

TEST_F(PodlaunchCommands, DoctorTellsWhatCannotBeACheckoutAndRepairLeavesItAlone) {
  const fs::path place = folder_ / "place";
  fs::create_directory(place);
  ASSERT_EQ(::mkfifo((place / "pipe").c_str(), 0644), 0);
  fs::create_symlink("loop", place / "loop");
  write(place / "file", "a file\n");
  struct Case {
    fs::path path;
    const char* told;
    const char* refused;
  };
  for (const Case& tried :
       {Case{"/dev/null", "There is a device here.", "is a device, a pipe or a socket"},
        Case{place / "pipe", "There is a pipe here.", "is a device, a pipe or a socket"},
        Case{place / "loop", "is a symbolic link", "is a symbolic link"},
        Case{place / "loop/project", "A symbolic link there leads nowhere", "A symbolic link there leads nowhere"},
        Case{place / "file/project", "Something of another kind lies there", "Something of another kind lies there"},
        Case{place / std::string(300, 'x'), "No file system here takes such a name", "takes such a name"}}) {
    const std::string told = ask({"doctor", tried.path}, 3);
    EXPECT_THAT(told, HasSubstr(tried.told));
    EXPECT_THAT(told, HasSubstr("only reported"));
    EXPECT_THAT(told, Not(HasSubstr("podlaunch repair")));
    EXPECT_THAT(ask({"repair", tried.path, "--repo", (folder_ / "upstream.git").string()}, 1),
                HasSubstr(tried.refused));
  }
  EXPECT_FALSE(fs::exists(place / ".podlaunch"));
  EXPECT_FALSE(fs::exists("/dev/.podlaunch"));
}

TEST_F(PodlaunchCommands, RepairLeavesAHomeFolderAloneAndDoctorSaysSo) {
  write(home() / "letters", "mine\n");
  EXPECT_THAT(ask({"doctor", home()}, 3), HasSubstr("`podlaunch repair` refuses: "));
  const Words words = {"repair", home().string() + "/", "--repo", (folder_ / "upstream.git").string()};
  EXPECT_THAT(ask(words, 1), HasSubstr("is the home folder"));
  EXPECT_TRUE(fs::exists(home() / "letters"));
}

TEST_F(PodlaunchCommands, DoctorSaysThatARepairNeedsTheAddressOfWhatIsNotThere) {
  const std::string nothing = (folder_ / "nothing").string();
  EXPECT_THAT(ask({"doctor", nothing}, 3), HasSubstr("`podlaunch repair --repo URL` mends it"));
  const std::string repo = (folder_ / "upstream.git").string();
  EXPECT_THAT(ask({"doctor", nothing, "--repo", repo}, 3), HasSubstr("`podlaunch repair` mends it"));
  ask({"repair", nothing, "--repo", repo});
  EXPECT_THAT(ask({"doctor", nothing}), HasSubstr("sound at a quick look"));
}

TEST_F(PodlaunchCommands, DoctorAndRepairOfANamedRunTakeNoOtherLaunchersCheckout) {
  Launcher launcher = boot({}, {"sh", "-c", "echo ready; exec sleep 100"});
  ASSERT_TRUE(launcher.says("\nready\n")) << launcher.log();
  const std::string elsewhere = (folder_ / "elsewhere").string();
  for (const char* command : {"doctor", "repair"}) {
    EXPECT_THAT(ask({command, "--state", elsewhere}, 1), HasSubstr("Name its folder."));
    EXPECT_THAT(ask({command, "--state", state(), "--run", "s"}, 1), HasSubstr("Name its folder."));
  }
  const json refused = json::parse(ask({"doctor", "--json", "--state", elsewhere}, 1), nullptr, false);
  EXPECT_TRUE(refused.value("error", json()).is_object()) << refused;
}

TEST_F(PodlaunchCommands, DoctorAndRepairShowHostileNamesAsText) {
  shell("git clone -q upstream.git checkout");
  write(folder_ / "checkout/.git/refs/heads/red\x1b[31m\nline", "no id\n");
  const std::string found = ask({"doctor", (folder_ / "checkout").string()}, 3);
  EXPECT_THAT(found, HasSubstr("refs/heads/red\uFFFD[31m line"));
  EXPECT_THAT(found, Not(HasSubstr("\x1b")));
  const std::string repaired = ask({"repair", (folder_ / "checkout").string()});
  EXPECT_THAT(repaired, HasSubstr("red\uFFFD[31m line"));
  EXPECT_THAT(repaired, Not(HasSubstr("\x1b")));
}

TEST_F(PodlaunchCommands, ExplainAndTheBootsOwnLinesShowHostileNamesAsText) {
  shell("git clone -q upstream.git " + checkout().string());
  write(checkout() / ".git/refs/heads/red\x1b[31m\nline", "no id\n");
  Words asked = words({"--setup", "true \x1b[2J"}, train_script());
  asked.insert(asked.begin(), "explain");
  const std::string explained = ask(asked);
  EXPECT_THAT(explained, HasSubstr("refs/heads/red\uFFFD[31m line: "));
  EXPECT_THAT(explained, HasSubstr("true \uFFFD[2J\n"));
  EXPECT_THAT(explained, Not(HasSubstr("\x1b")));
  Launcher launcher = boot({"--on-complete", "exit"}, train_script());
  EXPECT_EQ(launcher.status(), 0) << launcher.log();
  EXPECT_THAT(launcher.log(), HasSubstr("Found ref-damaged: refs/heads/red\uFFFD[31m line"));
  EXPECT_THAT(launcher.log(), Not(HasSubstr("\x1b")));
}

}  // namespace
