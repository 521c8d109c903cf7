// Supervision of real processes. What a test waits for is an event with a bound, never a length of time.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "launcher/base/files.h"
#include "launcher/base/helper.h"
#include "launcher/training/supervise.h"

namespace {

namespace fs = std::filesystem;
using base::Clock;
using base::Milliseconds;
using base::Seconds;
using base::WaitStatus;
using testing::HasSubstr;
using training::Ended;
using training::Supervision;

bool is_alive(pid_t process) {
  const auto stat = base::read_file("/proc/" + std::to_string(process) + "/stat", 4096);
  return stat && stat->find(") Z ") == std::string::npos;
}

class Supervise : public testing::Test {
 protected:
  static void SetUpTestSuite() { base::adopt_orphans(); }
  void SetUp() override {
    ASSERT_TRUE(waiter_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  Supervision plan(const std::string& script) {
    Supervision supervision;
    supervision.program.arguments = {"/bin/sh", "-c", script};
    supervision.program.folder = folder_.string();
    supervision.grace = Milliseconds(5000);
    supervision.on_output = [this](std::string_view bytes) { output_ += bytes; };
    return supervision;
  }
  // Runs it and sends us `signal` as soon as it has printed "ready".
  Ended run_and_signal(const std::string& script, int signal, Milliseconds grace = Milliseconds(5000)) {
    Supervision supervision = plan(script);
    supervision.grace = grace;
    supervision.on_line = [signal](std::string_view line) {
      if (line == "ready") ::kill(::getpid(), signal);
    };
    return *training::supervise(*waiter_, supervision);
  }
  pid_t number_in(const std::string& name) {
    return static_cast<pid_t>(std::atoi(base::read_file((folder_ / name).string()).value_or("0").c_str()));
  }

  base::Result<base::Waiter> waiter_ = base::Waiter::open();
  const fs::path folder_ = fs::path(testing::TempDir()) / ("supervise_" + std::to_string(::getpid()));
  std::string output_;
};

TEST_F(Supervise, OutputStatusAndFolderAreThoseOfTheProgram) {
  Supervision supervision = plan("pwd; echo $COLOUR >&2; exit 7");
  supervision.program.environment = {{"COLOUR", "green"}};
  const auto ended = training::supervise(*waiter_, supervision);
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->status, (WaitStatus{WaitStatus::Kind::kExited, 7}));
  EXPECT_THAT(output_, HasSubstr(folder_.string() + "\n"));
  EXPECT_THAT(output_, HasSubstr("green\n"));
}

TEST_F(Supervise, ProgramThatDoesNotExistEndsWith127AndSaysSo) {
  Supervision supervision = plan("");
  supervision.program.arguments = {"no-such-program-anywhere"};
  const auto ended = training::supervise(*waiter_, supervision);
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->status.value, 127);
  EXPECT_THAT(output_, HasSubstr("no-such-program-anywhere: No such file"));
}

TEST_F(Supervise, DeathBySignalIsToldFromAnExit) {
  const auto ended = training::supervise(*waiter_, plan("kill -SEGV $$"));
  EXPECT_EQ(ended->status, (WaitStatus{WaitStatus::Kind::kSignaled, SIGSEGV}));
  EXPECT_EQ(ended->status.shell_code(), 139);
}

TEST_F(Supervise, StopSignalIsForwardedAndTheProgramMaySave) {
  const Ended ended =
      run_and_signal("trap 'echo saved > saved; exit 0' TERM; echo ready; while :; do sleep 0.05; done", SIGTERM);
  EXPECT_EQ(ended.stop_signal, SIGTERM);
  EXPECT_TRUE(ended.status.success());
  EXPECT_TRUE(fs::exists(folder_ / "saved"));
}

TEST_F(Supervise, OtherSignalsAreForwardedAndEndNothing) {
  const Ended ended =
      run_and_signal("trap 'echo got it; exit 3' USR1; echo ready; while :; do sleep 0.05; done", SIGUSR1);
  EXPECT_EQ(ended.stop_signal, 0);
  EXPECT_EQ(ended.status.value, 3);
  EXPECT_EQ(waiter_->stop_signal(), 0);
}

TEST_F(Supervise, ProgramThatWasStoppedMaySaveWhenToldToEnd) {
  Supervision supervision = plan("trap 'echo saved > saved; exit 0' TERM; kill -STOP $$; exec sleep 100");
  int stopped_by = 0;
  supervision.on_pause = [&](int signal, pid_t) {
    stopped_by = signal;
    ::kill(::getpid(), SIGTERM);
  };
  const auto ended = training::supervise(*waiter_, supervision);
  EXPECT_EQ(stopped_by, SIGSTOP);
  EXPECT_TRUE(ended->status.success());
  EXPECT_TRUE(fs::exists(folder_ / "saved"));
}

TEST_F(Supervise, StopSignalFromBeforeTheProgramReachesIt) {
  ::kill(::getpid(), SIGTERM);
  waiter_->wait({}, Clock::now() + Seconds(5));
  ASSERT_EQ(waiter_->stop_signal(), SIGTERM);
  const auto ended = training::supervise(*waiter_, plan("exec sleep 100"));
  EXPECT_EQ(ended->status, (WaitStatus{WaitStatus::Kind::kSignaled, SIGTERM}));
}

TEST_F(Supervise, StopSignalReachesTheProgramWhileWeWaitForSomethingElse) {
  Supervision supervision = plan("trap 'echo >> saved; exit 0' TERM; touch ready; while :; do sleep 0.02; done");
  supervision.tick = Seconds(1);
  bool saved_meanwhile = false;
  supervision.on_tick = [&] {
    if (!fs::exists(folder_ / "ready")) return true;
    // As a wait for the keeper of a disk that hangs.
    ::kill(::getpid(), SIGTERM);
    const auto until = Clock::now() + Seconds(30);
    while (!(saved_meanwhile = fs::exists(folder_ / "saved")) && Clock::now() < until)
      waiter_->wait({}, Clock::now() + Milliseconds(20));
    return true;
  };
  const auto ended = training::supervise(*waiter_, supervision);
  EXPECT_TRUE(saved_meanwhile);
  EXPECT_EQ(ended->stop_signal, SIGTERM);
  EXPECT_EQ(base::read_file((folder_ / "saved").string()).value_or(""), "\n") << "told once";
}

TEST_F(Supervise, StopSignalFromWithinTheTrainingIsNoneOfThePlatforms) {
  const auto ended = training::supervise(
      *waiter_, plan("kill -TERM $PPID; sleep 0.1; sh -c 'kill -HUP $1; sleep 0.1' sh $PPID; exit 6"));
  EXPECT_EQ(ended->status.value, 6);
  EXPECT_EQ(ended->stop_signal, 0);
  EXPECT_EQ(waiter_->stop_signal(), 0);
}

TEST_F(Supervise, ProgramThatIgnoresTheSignalIsKilledWhenItsGraceIsOver) {
  const auto began = Clock::now();
  const Ended ended =
      run_and_signal("trap '' TERM; echo ready; while :; do sleep 0.05; done", SIGTERM, Milliseconds(300));
  EXPECT_EQ(ended.status, (WaitStatus{WaitStatus::Kind::kSignaled, SIGKILL}));
  EXPECT_LT(Clock::now() - began, Seconds(20));
}

TEST_F(Supervise, DaemonisedGrandchildIsEndedToo) {
  Supervision supervision = plan(
      "setsid sh -c 'trap \"\" TERM HUP; echo $$ > daemon; while :; do sleep 0.05; done' & while [ ! -s daemon ]; do "
      "sleep 0.01; done");
  supervision.grace = Milliseconds(200);
  const auto ended = training::supervise(*waiter_, supervision);
  EXPECT_TRUE(ended->status.success());
  const pid_t daemon = number_in("daemon");
  ASSERT_GT(daemon, 1);
  EXPECT_FALSE(is_alive(daemon));
}

TEST_F(Supervise, SparedChildIsLeftAlone) {
  base::Program companion;
  companion.arguments = {"sleep", "100"};
  const auto spared = base::spawn(companion, *waiter_);
  ASSERT_TRUE(spared);
  Supervision supervision = plan("setsid sleep 100 & echo $! > daemon");
  supervision.spared = [&] { return std::vector<pid_t>{*spared}; };
  supervision.grace = Milliseconds(200);
  ASSERT_TRUE(training::supervise(*waiter_, supervision));
  EXPECT_FALSE(is_alive(number_in("daemon")));
  EXPECT_TRUE(is_alive(*spared));
  ::kill(*spared, SIGKILL);
}

TEST_F(Supervise, PipeHeldOpenByAStrangerDoesNotKeepTheAttemptFromEnding) {
  // A process that supervision must not touch opens the program's stdout, and keeps it open after the program's end.
  base::Program stranger;
  stranger.arguments = {"/bin/sh", "-c",
                        "while [ ! -s program ]; do sleep 0.01; done; exec > /proc/$(cat program)/fd/1; "
                        "touch holding; exec sleep 100"};
  stranger.folder = folder_.string();
  const auto spared = base::spawn(stranger, *waiter_);
  ASSERT_TRUE(spared);
  Supervision supervision = plan("echo $$ > program; while [ ! -e holding ]; do sleep 0.01; done; exit 5");
  supervision.spared = [&] { return std::vector<pid_t>{*spared}; };
  const auto began = Clock::now();
  const auto ended = training::supervise(*waiter_, supervision);
  EXPECT_EQ(ended->status.value, 5);
  EXPECT_TRUE(is_alive(*spared));
  EXPECT_LT(Clock::now() - began, Seconds(20));
  ::kill(*spared, SIGKILL);
}

TEST_F(Supervise, SilenceIsAStallUnlessThereIsAnotherSignOfLife) {
  Supervision supervision = plan("exec sleep 100");
  supervision.silence_max = Seconds(1);
  int asked = 0;
  supervision.still_alive = [&] { return ++asked < 2; };
  const auto ended = training::supervise(*waiter_, supervision);
  EXPECT_TRUE(ended->stalled);
  EXPECT_EQ(asked, 2);
}

TEST_F(Supervise, TickCanEndTheProgram) {
  Supervision supervision = plan("exec sleep 100");
  supervision.tick = Seconds(1);
  supervision.on_tick = [] { return false; };
  const auto ended = training::supervise(*waiter_, supervision);
  EXPECT_TRUE(ended->cut_off);
  EXPECT_FALSE(ended->stalled);
}

TEST_F(Supervise, ManyBytesArriveWhole) {
  std::size_t bytes = 0;
  Supervision supervision = plan("head -c 3000000 /dev/zero");
  supervision.on_output = [&](std::string_view piece) { bytes += piece.size(); };
  // Our own stdout is not what is tested here.
  const int saved = ::dup(STDOUT_FILENO);
  const int null = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  ::dup2(null, STDOUT_FILENO);
  const auto ended = training::supervise(*waiter_, supervision);
  ::dup2(saved, STDOUT_FILENO);
  ::close(saved);
  ::close(null);
  EXPECT_TRUE(ended->status.success());
  EXPECT_EQ(bytes, 3'000'000U);
}

TEST_F(Supervise, StdoutThatNobodyReadsDoesNotBlockSupervision) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const int saved = ::dup(STDOUT_FILENO);
  ::dup2(ends[1], STDOUT_FILENO);
  const auto began = Clock::now();
  const auto ended = training::supervise(*waiter_, plan("head -c 2000000 /dev/zero; exit 4"));
  ::dup2(saved, STDOUT_FILENO);
  ::close(saved);
  ::close(ends[0]);
  ::close(ends[1]);
  EXPECT_EQ(ended->status.value, 4);
  EXPECT_LT(Clock::now() - began, Seconds(60));
}

TEST_F(Supervise, ZombiesOfOthersAreReaped) {
  ASSERT_TRUE(training::supervise(*waiter_, plan("for i in 1 2 3 4 5; do (sh -c 'exit 0' &) ; done; sleep 0.2")));
  waiter_->wait({}, Clock::now() + Milliseconds(100));
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a child is left";
}

class Helper : public Supervise {};

TEST_F(Helper, AnswerComesBackWhole) {
  const std::string large(1'000'000, 'x');
  EXPECT_EQ(*base::call_helper(*waiter_, "try", Seconds(20), [&] { return large; }), large);
}

TEST_F(Helper, OneThatHangsIsKilledWithItsChildren) {
  const auto answer = base::call_helper(*waiter_, "try", Seconds(1), [this] {
    (void)!::system(("sleep 100 & echo $! > " + (folder_ / "child").string()).c_str());
    for (;;) ::pause();
    return std::string();
  });
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, base::ErrorCode::kTimedOut);
  for (const auto until = Clock::now() + Seconds(10); is_alive(number_in("child")) && Clock::now() < until;)
    waiter_->wait({}, Clock::now() + Milliseconds(20));
  EXPECT_FALSE(is_alive(number_in("child")));
}

TEST_F(Helper, OneThatDiesOrThrowsIsAnError) {
  EXPECT_EQ(base::call_helper(*waiter_, "try", Seconds(20), []() -> std::string { ::_exit(0); }).error().code,
            base::ErrorCode::kSystem);
  const auto thrown =
      base::call_helper(*waiter_, "try", Seconds(20), []() -> std::string { throw std::runtime_error("no luck"); });
  EXPECT_THAT(thrown.error().message(), HasSubstr("no luck"));
}

TEST_F(Helper, StopSignalEndsTheWait) {
  ::kill(::getpid(), SIGTERM);
  const auto began = Clock::now();
  const auto answer = base::call_helper(*waiter_, "try", Seconds(50), []() -> std::string {
    for (;;) ::pause();
  });
  EXPECT_EQ(answer.error().code, base::ErrorCode::kBusy);
  EXPECT_LT(Clock::now() - began, Seconds(20));
}

}  // namespace
