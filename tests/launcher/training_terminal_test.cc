// Programs under supervision where our own streams are terminals, and where there is no process to be had.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "base/wait_status.h"
#include "launcher/training/supervise.h"
#include "launcher/training/terminal.h"

namespace {

using base::Clock;
using base::Milliseconds;
using base::Seconds;
using base::UniqueFd;
using testing::HasSubstr;
using training::Supervision;

// A terminal with a person at its other end.
struct Desk {
  UniqueFd person{::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)};
  std::string name;

  Desk() {
    ::grantpt(person.get());
    ::unlockpt(person.get());
    char path[128] = {};
    ::ptsname_r(person.get(), path, sizeof path);
    name = path;
    const winsize size{33, 77, 0, 0};
    ::ioctl(person.get(), TIOCSWINSZ, &size);
  }
  void type(std::string_view keys) const {
    ASSERT_EQ(::write(person.get(), keys.data(), keys.size()), ssize_t(keys.size()));
  }
  // Reads until `text` has been shown; what was shown so far after a minute without it.
  std::string shown_until(const std::string& text) const {
    std::string shown;
    while (shown.find(text) == std::string::npos) {
      pollfd descriptor{person.get(), POLLIN, 0};
      char buffer[4096];
      const ssize_t count = ::poll(&descriptor, 1, 60'000) > 0 ? ::read(person.get(), buffer, sizeof buffer) : 0;
      if (count <= 0) return shown;
      shown.append(buffer, static_cast<std::size_t>(count));
    }
    return shown;
  }
};

// In a process of its own that leads a session at this desk, as the first process of `docker run -it` does.
template <class Work>
pid_t sit_down(const Desk& desk, Work work) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::alarm(90);
  ::setsid();
  const int terminal = ::open(desk.name.c_str(), O_RDWR);
  ::ioctl(terminal, TIOCSCTTY, 0);
  for (const int descriptor : {0, 1, 2}) ::dup2(terminal, descriptor);
  ::_exit(work());
}

int exit_of(pid_t child) {
  int raw = 0;
  return ::waitpid(child, &raw, 0) == child ? base::WaitStatus::from_raw(raw).shell_code() : -1;
}

Supervision shell(const std::string& script) {
  Supervision supervision;
  supervision.program.arguments = {"/bin/sh", "-c", script};
  return supervision;
}

int run_there(const std::string& script, std::string* output = nullptr) {
  auto waiter = base::Waiter::open();
  Supervision supervision = shell(script);
  if (output != nullptr) supervision.on_output = [output](std::string_view bytes) { *output += bytes; };
  const auto ended = training::supervise(*waiter, supervision);
  if (!ended) return 99;
  return ended->stop_signal != 0 ? 200 + ended->stop_signal : ended->status.shell_code();
}

TEST(Terminal, ProgramPrintsToATerminalOfTheSameSizeWhereWeDo) {
  const Desk desk;
  const pid_t child = sit_down(desk, [] {
    std::string output;
    const int code = run_there("[ -t 1 ] && [ -t 2 ] && stty size <&1 && exit 5", &output);
    return output == "33 77\n" ? code : 98;  // no carriage return: the real terminal adds it
  });
  EXPECT_THAT(desk.shown_until("33 77\r\n"), HasSubstr("33 77\r\n"));
  EXPECT_EQ(exit_of(child), 5);
}

TEST(Terminal, NewSizeReachesTheProgram) {
  const Desk desk;
  const pid_t child = sit_down(
      desk, [] { return run_there("trap 'stty size <&1' WINCH; echo ready; while sleep 0.05; do echo .; done"); });
  EXPECT_THAT(desk.shown_until("ready"), HasSubstr("ready"));
  const winsize size{11, 22, 0, 0};
  ::ioctl(desk.person.get(), TIOCSWINSZ, &size);
  EXPECT_THAT(desk.shown_until("11 22"), HasSubstr("11 22"));
  desk.type("\x03");
  EXPECT_EQ(exit_of(child), 200 + SIGINT);
}

TEST(Terminal, ProgramReadsWhatIsTyped) {
  const Desk desk;
  const pid_t child =
      sit_down(desk, [] { return run_there("echo ready; read word; [ \"$word\" = hello ] && exit 7"); });
  EXPECT_THAT(desk.shown_until("ready"), HasSubstr("ready"));
  desk.type("hello\n");
  EXPECT_EQ(exit_of(child), 7);
}

TEST(Terminal, ControlCEndsTheWholeAndNotOnlyTheProgram) {
  const Desk desk;
  const pid_t child = sit_down(desk, [] { return run_there("echo ready; exec sleep 100"); });
  EXPECT_THAT(desk.shown_until("ready"), HasSubstr("ready"));
  desk.type("\x03");
  EXPECT_EQ(exit_of(child), 200 + SIGINT);
}

TEST(Terminal, SettingsThatAProgramLeavesBehindDoNotOutliveIt) {
  const Desk desk;
  const pid_t child = sit_down(desk, [] {
    const int code = run_there("stty raw -echo && stty -a | grep -q -- -opost && kill -9 $$");
    termios left{};
    ::tcgetattr(STDIN_FILENO, &left);
    return code == 128 + SIGKILL && (left.c_oflag & OPOST) != 0 && (left.c_lflag & (ECHO | ICANON)) != 0 ? 6 : 97;
  });
  EXPECT_EQ(exit_of(child), 6);
}

TEST(Terminal, PipeStaysAPipe) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd reading(ends[0]), writing(ends[1]);
  EXPECT_FALSE(training::terminal_like(writing.get()));
}

// As somebody who may start no process at all: limits do not bind root.
template <class Work>
int without_processes(Work work) {
  const pid_t child = ::fork();
  if (child != 0) return exit_of(child);
  ::alarm(90);
  if (::getuid() == 0 && (::setgid(54321) != 0 || ::setuid(54321) != 0)) ::_exit(97);
  ::_exit(work());
}

void allow_processes(rlim_t count) {
  const rlimit limit{count, RLIM_INFINITY};
  rlimit now{};
  ::getrlimit(RLIMIT_NPROC, &now);
  const rlimit soft{count, now.rlim_max};
  ::setrlimit(RLIMIT_NPROC, now.rlim_max == RLIM_INFINITY ? &limit : &soft);
}

TEST(Fork, IsTriedAgainUntilThereIsAProcessToBeHad) {
  const int code = without_processes([] {
    auto waiter = base::Waiter::open();
    int go[2];
    if (::pipe2(go, O_CLOEXEC) != 0) return 96;
    std::thread giver([&] {
      char letter = 0;
      (void)!::read(go[0], &letter, 1);
      std::this_thread::sleep_for(Milliseconds(120));
      allow_processes(4096);
    });
    allow_processes(0);
    if (::fork() >= 0) ::_exit(95);  // the limit binds
    (void)!::write(go[1], "g", 1);
    const auto child = base::fork_patiently(*waiter, "try", Seconds(60));
    if (child && *child == 0) ::_exit(0);
    giver.join();
    return child ? 0 : 94;
  });
  EXPECT_EQ(code, 0);
}

TEST(Fork, GivesUpWithWhatToLookAtWhenNoneComes) {
  const int code = without_processes([] {
    auto waiter = base::Waiter::open();
    allow_processes(0);
    const auto child = base::fork_patiently(*waiter, "try", Milliseconds(150));
    if (child) return 93;
    return child.error().code != base::ErrorCode::kBusy && !child.error().remedy.empty() ? 0 : 92;
  });
  EXPECT_EQ(code, 0);
}

TEST(Fork, StopSignalEndsTheWait) {
  const int code = without_processes([] {
    auto waiter = base::Waiter::open();
    allow_processes(0);
    ::kill(::getpid(), SIGTERM);
    const auto child = base::fork_patiently(*waiter, "try", Seconds(80));
    return !child && child.error().code == base::ErrorCode::kBusy ? 0 : 91;
  });
  EXPECT_EQ(code, 0);
}

}  // namespace
