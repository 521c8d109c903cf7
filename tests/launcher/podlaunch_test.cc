// The real program, end to end: real git, real processes, folders of its own. Every wait has a bound.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/wait_status.h"
#include "launcher/base/files.h"

namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;
using testing::Not;
using Words = std::vector<std::string>;

const char* const kPodlaunch = PROJECT_BIN_DIR "/podlaunch";

void write(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

std::string read(const fs::path& path) {
  return base::read_file(path.string()).value_or("");
}

bool holds_within(std::chrono::seconds time, const std::function<bool()>& condition) {
  const auto until = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < until) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return condition();
}

// One start of podlaunch; ended with its tree when the test forgets it.
class Launcher {
 public:
  Launcher(const Words& words, const fs::path& log) : log_(log) {
    pid_ = ::fork();
    if (pid_ != 0) return;
    ::setpgid(0, 0);
    const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    ::dup2(out, STDOUT_FILENO);
    ::dup2(out, STDERR_FILENO);
    std::vector<char*> arguments{const_cast<char*>(kPodlaunch)};
    for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    ::execv(kPodlaunch, arguments.data());
    ::_exit(99);
  }
  Launcher(const Launcher&) = delete;
  ~Launcher() {
    if (pid_ > 0) ::kill(pid_, SIGTERM);
    if (pid_ > 0 && !ends_within(std::chrono::seconds(15))) ::kill(-pid_, SIGKILL);
  }

  void signal(int number) const { ::kill(pid_, number); }
  bool ends_within(std::chrono::seconds time) {
    return holds_within(time, [this] {
      int raw = 0;
      if (pid_ > 0 && ::waitpid(pid_, &raw, WNOHANG) == pid_) {
        status_ = base::WaitStatus::from_raw(raw).shell_code();
        pid_ = 0;
      }
      return pid_ == 0;
    });
  }
  // Its exit status; -1 when it is still alive after a minute.
  int status() { return ends_within(std::chrono::seconds(60)) ? status_ : -1; }
  bool says(const std::string& text, std::chrono::seconds within = std::chrono::seconds(60)) const {
    return holds_within(within, [&] { return read(log_).find(text) != std::string::npos; });
  }
  std::string log() const { return read(log_); }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = 0;
  int status_ = -1;
  fs::path log_;
};

class Podlaunch : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(home());
    for (const char* variable : {"RUNPOD_POD_ID", "RUNPOD_GPU_COUNT", "RUNPOD_VOLUME_ID"}) ::unsetenv(variable);
    ::setenv("HOME", home().c_str(), 1);
    write(folder_ / "work/setup.py", "first\n");
    write(folder_ / "work/train.sh",
          "echo attempt $PODLAUNCH_ATTEMPT of $PODLAUNCH_RUN_ID from \"$PODLAUNCH_RESUME_FROM\"\n"
          "for step in 1 2 3; do echo step $step; echo {} > $1/ckpt-$step.json; done\n");
    shell(
        "cd work && git init -q -b main . && git add . && git commit -q -m one && git clone -q --bare . "
        "../upstream.git && git remote add up ../upstream.git");
    fs::create_directories(folder_ / "out");
  }
  void TearDown() override {
    if (HasFailure()) {
      std::fprintf(stderr, "the folder is kept: %s\n", folder_.c_str());
    } else {
      fs::remove_all(folder_);
    }
  }

  fs::path home() const { return folder_ / "home"; }
  fs::path checkout() const { return folder_ / "disk/project"; }
  void shell(const std::string& script) const {
    const std::string line =
        "cd " + folder_.string() +
        " && export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b && " + script;
    ASSERT_EQ(std::system(line.c_str()), 0) << script;
  }
  void commit_upstream(const std::string& file, const std::string& text) const {
    write(folder_ / "work" / file, text);
    shell("cd work && git add . && git commit -q -m more && git push -q up main");
  }
  Words words(const Words& extra, const Words& train) const {
    Words all{"--repo",        "file://" + (folder_ / "upstream.git").string(),
              "--ref",         "main",
              "--checkout",    checkout().string(),
              "--state",       (folder_ / "state").string(),
              "--run",         "r",
              "--checkpoints", (folder_ / "out").string() + "/*.json"};
    all.insert(all.end(), extra.begin(), extra.end());
    all.push_back("--");
    all.insert(all.end(), train.begin(), train.end());
    return all;
  }
  Launcher boot(const Words& extra, const Words& train, const std::string& log = "log") const {
    return Launcher(words(extra, train), folder_ / log);
  }
  Words train_script() const { return {"sh", "train.sh", (folder_ / "out").string()}; }
  json status() const {
    Launcher launcher({"status", "--json", "--state", (folder_ / "state").string(), "--run", "r"}, folder_ / "status");
    EXPECT_EQ(launcher.status(), 0) << launcher.log();
    return json::parse(launcher.log(), nullptr, false);
  }

  static fs::path new_folder() {
    std::string name = testing::TempDir() + "podlaunch_XXXXXX";
    return ::mkdtemp(name.data()) == nullptr ? fs::path() : fs::path(name);
  }

  // Never the same twice: stamps of setup steps outlive a test.
  const fs::path folder_ = new_folder();
};

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

TEST_F(Podlaunch, FailureIsRetriedAndEndsInAHoldThatResumeReleases) {
  commit_upstream("fail.sh", "echo run >> ../runs\nif [ -e ../mended ]; then exit 0; fi\nexec no-such-trainer\n");
  Launcher launcher = boot({}, {"sh", "fail.sh"});
  ASSERT_TRUE(launcher.says("podlaunch: hold: what to do", std::chrono::seconds(100))) << launcher.log();
  EXPECT_EQ(read(checkout().parent_path() / "runs"), "run\nrun\nrun\n");
  EXPECT_FALSE(launcher.ends_within(std::chrono::seconds(1)));
  EXPECT_EQ(status()["state"], "held");
  EXPECT_EQ(status()["hold"]["reason"], "same-failure");

  write(checkout().parent_path() / "mended", "");
  Launcher resume({"resume", "--state", (folder_ / "state").string(), "--run", "r"}, folder_ / "resume");
  EXPECT_EQ(resume.status(), 0) << resume.log();
  EXPECT_TRUE(launcher.says("podlaunch: finished:")) << launcher.log();
}

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
