#include "harness/stage/stage.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <set>
#include <sstream>

namespace stage {
namespace {

using testing::HasSubstr;

// The smallest owner a stage can have: no pod, one pipe.
class Audience : public Watcher {
 public:
  void path_used(const PathUse& use) override { uses.push_back(std::string(use.syscall.name) + " " + use.path); }
  int mark(const Process&, const std::string& what) override {
    marks.push_back(what);
    return ENOENT;
  }
  std::string instead_of(const std::string&) override { return {}; }
  void syscall_entered(const Process&, const Syscall&) override {}
  void executed(const Process& process) override { programs.push_back(process.spawn_path); }
  int connecting(const Process&, const Peer&) override { return 0; }
  void ended(const Process& process, base::WaitStatus status) override {
    if (process.id != first) return;
    end = status;
    stage->stop();
  }
  bool drain() override {
    std::array<char, 4096> buffer;
    bool some = false;
    ssize_t size = 0;
    while ((size = ::read(pipe.get(), buffer.data(), buffer.size())) > 0) {
      output.append(buffer.data(), static_cast<std::size_t>(size));
      some = true;
    }
    return some;
  }

  Stage* stage = nullptr;
  pid_t first = 0;
  base::WaitStatus end{base::WaitStatus::Kind::kExited, -1};
  base::UniqueFd pipe;
  std::string output;
  std::vector<std::string> marks;
  std::vector<std::string> programs;
  std::vector<std::string> uses;
};

constexpr Nanoseconds kEpoch = 1'767'225'600LL * kSecond;  // 2026-01-01

struct Played {
  Audience audience;
  Nanoseconds elapsed = 0;
  double real_seconds = 0;
};

// Runs a program on a stage of its own, outside any pod, and returns what it did.
std::unique_ptr<Played> play(const std::vector<std::string>& command, Nanoseconds limit = 400'000 * kSecond) {
  auto played = std::make_unique<Played>();
  std::array<int, 2> output{};
  std::array<int, 2> go{};
  EXPECT_EQ(::pipe2(output.data(), O_CLOEXEC), 0);
  EXPECT_EQ(::pipe2(go.data(), O_CLOEXEC), 0);
  const auto begin = std::chrono::steady_clock::now();
  const pid_t child = ::fork();
  if (child == 0) {
    char byte = 0;
    (void)!::read(go[0], &byte, 1);
    ::dup2(output[1], 1);
    ::dup2(output[1], 2);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (install_filter(Troupe::kPod) != 0) ::_exit(126);
    std::vector<char*> arguments;
    for (const auto& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    ::execvp(arguments[0], arguments.data());
    ::_exit(127);
  }
  ::close(output[1]);
  ::fcntl(output[0], F_SETFL, O_NONBLOCK);
  played->audience.pipe.reset(output[0]);
  played->audience.first = child;
  VirtualClock clock(kEpoch);
  {
    Stage stage(clock, played->audience);
    played->audience.stage = &stage;
    EXPECT_TRUE(stage.adopt(child, Troupe::kPod).has_value());
    stage.at(limit, [&stage] { stage.stop(); });
    (void)!::write(go[1], "x", 1);
    ::close(go[1]);
    ::close(go[0]);
    stage.run();
    played->elapsed = clock.now();
  }
  played->audience.drain();
  played->real_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return played;
}

double seconds(const Played& played) {
  return static_cast<double>(played.elapsed) / kSecond;
}

std::unique_ptr<Played> play_waiter(const std::string& what) {
  return play({PROJECT_BIN_DIR "/waiter", what});
}

TEST(Stage, SleepTakesVirtualTimeOnly) {
  const auto played = play({"bash", "-c", "date +%s; sleep 3600; date +%s"});
  EXPECT_EQ(played->audience.output, "1767225600\n1767229200\n");
  EXPECT_TRUE(played->audience.end.success());
  EXPECT_NEAR(seconds(*played), 3600, 0.01);
}

TEST(Stage, ExitStatusAndSignalsReachTheOwner) {
  EXPECT_EQ(play({"bash", "-c", "exit 7"})->audience.end.value, 7);
  const auto killed = play({"bash", "-c", "kill -9 $$"});
  EXPECT_EQ(killed->audience.end.kind, base::WaitStatus::Kind::kSignaled);
  EXPECT_EQ(killed->audience.end.value, 9);
}

TEST(Stage, SleepersWakeInTheOrderOfTheirDeadlines) {
  const auto played =
      play({"bash", "-c", "(sleep 30; echo c) & (sleep 10; echo a) & (sleep 20; echo b) & wait; echo d"});
  EXPECT_EQ(played->audience.output, "a\nb\nc\nd\n");
  EXPECT_NEAR(seconds(*played), 30, 0.1);
}

TEST(Stage, TimeoutCommandKillsAtItsDeadline) {
  const auto played = play({"timeout", "5", "sleep", "1000"});
  EXPECT_EQ(played->audience.end.value, 124);
  EXPECT_NEAR(seconds(*played), 5, 0.1);
}

TEST(Stage, TrapEndsASleepAtOnce) {
  const auto played =
      play({"bash", "-c",
            "trap 'echo caught; exit 3' TERM; (sleep 10; kill -TERM $$) & while :; do sleep 100 & wait $!; done"});
  EXPECT_EQ(played->audience.output, "caught\n");
  EXPECT_EQ(played->audience.end.value, 3);
  EXPECT_NEAR(seconds(*played), 10, 0.1);
}

TEST(Stage, PythonWaitsOfEveryKind) {
  const auto played = play({"/usr/bin/python3", "-c", R"(
import select, threading, time, signal, queue, socket, os
def took(what, want):
    global t
    now = time.monotonic(); print(what, round(now - t, 1) == want, now - t if round(now - t, 1) != want else ''); t = time.monotonic()
t = time.monotonic()
time.sleep(1.5); took('sleep', 1.5)
r, w = os.pipe()
select.select([r], [], [], 20); took('select', 20)
p = select.poll(); p.register(r, select.POLLIN); p.poll(30000); took('poll', 30)
e = select.epoll(); e.register(r, select.EPOLLIN); e.poll(40); took('epoll', 40)
threading.Event().wait(50); took('event', 50)
try: queue.Queue().get(timeout=60)
except queue.Empty: took('queue', 60)
signal.sigtimedwait([signal.SIGUSR1], 70); took('sigtimedwait', 70)
signal.signal(signal.SIGALRM, lambda *_: None)
signal.setitimer(signal.ITIMER_REAL, 80); signal.pause(); took('setitimer', 80)
signal.alarm(90); signal.pause(); took('alarm', 90)
a, b = socket.socketpair(); a.settimeout(100)
try: a.recv(1)
except TimeoutError: took('socket', 100)
th = threading.Timer(10, lambda: os.write(w, b'x')); th.start()
select.select([r], [], [], 1000); took('woken', 10)
)"});
  EXPECT_EQ(played->audience.output,
            "sleep True \nselect True \npoll True \nepoll True \nevent True \nqueue True \nsigtimedwait True \n"
            "setitimer True \nalarm True \nsocket True \nwoken True \n");
  EXPECT_TRUE(played->audience.end.success());
}

TEST(Stage, StaticProgramWaitsOfEveryKind) {
  for (const std::string what : {"timerfd", "timerfd-interval", "posix-timer", "receive-timeout", "futex", "pselect",
                                 "epoll_pwait2", "ppoll", "absolute", "passed", "sysinfo", "semtimedop"}) {
    const auto played = play_waiter(what);
    EXPECT_EQ(played->audience.output, "as expected\n") << what;
    EXPECT_TRUE(played->audience.end.success()) << what;
  }
}

TEST(Stage, SignalHandlerInterruptsASleepAndTellsWhatIsLeft) {
  const auto played = play_waiter("interrupted");
  EXPECT_EQ(played->audience.output, "as expected\n");
}

TEST(Stage, IgnoredStopAndContinueDoNotMoveADeadline) {
  const auto played =
      play({"bash", "-c", "sleep 100 & s=$!; sleep 10; kill -STOP $s; sleep 20; kill -CONT $s; wait $s; date +%s"});
  EXPECT_EQ(played->audience.output, "1767225700\n");
}

TEST(Stage, BusyLoopBesideASleeperEnds) {
  const auto played = play({"bash", "-c", "while :; do :; done & sleep 2; kill $!; echo woke"});
  EXPECT_EQ(played->audience.output, "woke\n");
}

TEST(Stage, LoopThatOnlyReadsTheClockEnds) {
  const auto played =
      play({"/usr/bin/python3", "-c", "import time\nt = time.time() + 60\nwhile time.time() < t: pass\nprint('done')"});
  EXPECT_EQ(played->audience.output, "done\n");
}

TEST(Stage, PingPongOverPipesIsNotRest) {
  const auto played = play({"bash", "-c",
                            "sleep 50 & mkfifo /tmp/stage-$$-a /tmp/stage-$$-b; exec 3<>/tmp/stage-$$-a "
                            "4<>/tmp/stage-$$-b; rm /tmp/stage-$$-?; "
                            "(for i in {1..2000}; do read x <&3; echo y >&4; done) & "
                            "for i in {1..2000}; do echo x >&3; read y <&4; done; date +%s"});
  EXPECT_EQ(played->audience.output, "1767225600\n");
}

TEST(Stage, FileTimesAreTheWorlds) {
  const auto played =
      play({"bash", "-c",
            "f=$(mktemp); sleep 3600; date +%s > $f; stat -c %Y $f; sleep 50; touch $f; stat -c %Y $f; rm $f"});
  EXPECT_EQ(played->audience.output, "1767229200\n1767229250\n");
}

TEST(Stage, MarksAndPathsAreReported) {
  const auto played =
      play({"bash", "-c", "test -e /.simrun/mark/step/12 || echo absent; cd /usr; test -e lib/../nothing"});
  EXPECT_EQ(played->audience.output, "absent\n");
  EXPECT_THAT(played->audience.marks, testing::ElementsAre("step/12"));
  EXPECT_THAT(played->audience.uses, testing::Contains(HasSubstr(" /usr/nothing")));
}

TEST(Stage, SpawnPathNamesTheTree) {
  const auto played = play({"bash", "-c", "sh -c 'sleep 1; true'; true"});
  EXPECT_THAT(played->audience.programs, testing::ElementsAre("bash", "bash/dash", "bash/dash/sleep"));
}

TEST(Stage, TwoPlaysDrawTheSameAndTwoProcessesDoNot) {
  const std::vector<std::string> command{
      "bash", "-c",
      "for i in 1 2; do python3 -S -c 'import os; print(os.urandom(8).hex(), os.urandom(8).hex())'; done"};
  const std::string once = play(command)->audience.output;
  EXPECT_EQ(play(command)->audience.output, once);
  std::set<std::string> different;
  std::istringstream words(once);
  for (std::string word; words >> word;) different.insert(word);
  EXPECT_EQ(different.size(), 4U) << once;
}

TEST(Stage, ADayOfSleepsIsCheap) {
  const auto played =
      play({"/usr/bin/python3", "-c", "import time\nfor _ in range(1440): time.sleep(60)\nprint(int(time.time()))"});
  EXPECT_EQ(played->audience.output, "1767312000\n");
  RecordProperty("real_seconds", std::to_string(played->real_seconds));
}

}  // namespace
}  // namespace stage
