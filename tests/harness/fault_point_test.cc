#include "harness/stage/fault_point.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <functional>

#include "harness/stage/stage.h"

namespace stage {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;

class FaultPoint : public testing::Test, public Watcher {
 protected:
  FaultPoint() {
    std::string pattern = fs::temp_directory_path() / "fault-point-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~FaultPoint() override { fs::remove_all(folder_); }

  // Runs a shell script in the folder, with every change of a file below it decided by `decide`.
  void play(const std::string& script) {
    std::array<int, 2> go{};
    ASSERT_EQ(::pipe2(go.data(), O_CLOEXEC), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      char byte = 0;
      (void)!::read(go[0], &byte, 1);
      ::dup2(::open("/dev/null", O_RDWR), 1);
      ::dup2(1, 2);
      sigset_t none;
      sigemptyset(&none);
      ::sigprocmask(SIG_SETMASK, &none, nullptr);
      ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
      if (::chdir(folder_.c_str()) != 0) ::_exit(125);
      if (install_filter(Troupe::kPod, FaultPoints::kWatched) != 0) ::_exit(126);
      ::execlp("bash", "bash", "-c", script.c_str(), nullptr);
      ::_exit(127);
    }
    VirtualClock clock(0);
    Stage stage(clock, *this);
    stage_ = &stage;
    first_ = child;
    stage.watch_changes();
    ASSERT_TRUE(stage.adopt(child, Troupe::kPod).has_value());
    (void)!::write(go[1], "x", 1);
    ::close(go[1]);
    ::close(go[0]);
    stage.run();
  }

  Order changing(const Change& change) override {
    if (!change.path.starts_with(folder_ + "/")) return GoUnwatched{};
    return decide(change);
  }
  void changed(const Change& change, long result) override {
    const std::string name = change.path.substr(folder_.size() + 1);
    calls_.push_back(std::string(change.syscall.name) + " " + name + (result < 0 ? " fails" : ""));
  }
  void path_used(const PathUse&) override {}
  int mark(const Process&, const std::string&) override { return ENOENT; }
  std::string instead_of(const std::string&) override { return {}; }
  void syscall_entered(const Process&, const Syscall&) override {}
  void executed(const Process&) override {}
  int connecting(const Process&, const Peer&) override { return 0; }
  void ended(const Process& process, base::WaitStatus status) override {
    if (process.id != first_) return;
    end_ = status;
    stage_->stop();
  }
  bool drain() override { return false; }

  std::string content(const std::string& name) {
    std::ifstream file(folder_ + "/" + name);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::function<Order(const Change&)> decide = [](const Change&) { return Order(GoOn{}); };
  std::string folder_;
  std::vector<std::string> calls_;
  base::WaitStatus end_{base::WaitStatus::Kind::kExited, -1};
  Stage* stage_ = nullptr;
  pid_t first_ = 0;
};

TEST_F(FaultPoint, EveryChangeOfAFileIsShownInOrder) {
  play("mkdir a && echo one > a/x && mv a/x a/y && chmod 600 a/y && exec rm a/y");
  std::erase_if(calls_, [](const std::string& call) { return call.starts_with("close"); });
  EXPECT_THAT(calls_, ElementsAre("mkdir a", "openat a/x", "write a/x", testing::StartsWith("rename"), "fchmodat a/y",
                                  "unlinkat a/y"));
  EXPECT_TRUE(end_.success());
}

TEST_F(FaultPoint, AFailedCallIsNotMade) {
  decide = [](const Change& change) { return change.syscall.name == "write" ? Order(FailWith{ENOSPC}) : GoOn{}; };
  play("echo one > x");
  EXPECT_FALSE(end_.success());
  EXPECT_EQ(content("x"), "");
}

TEST_F(FaultPoint, AShortWriteWritesItsBeginning) {
  bool first = true;
  decide = [&](const Change& change) -> Order {
    if (change.syscall.name != "write" || !first) return GoOn{};
    first = false;
    return Shorten{2};
  };
  play("exec dd if=/dev/stdin of=x bs=6 count=1 conv=notrunc <<<abcde");
  EXPECT_EQ(content("x"), "abcde\n");  // dd writes the rest itself
  EXPECT_EQ(std::ranges::count(calls_, "write x"), 2);
}

TEST_F(FaultPoint, AKilledCallIsNotMade) {
  decide = [](const Change& change) -> Order {
    if (change.syscall.name != "write") return GoOn{};
    ::kill(change.process.id, SIGKILL);
    return Killed{};
  };
  play("echo one > x; echo two > y");
  EXPECT_EQ(end_.kind, base::WaitStatus::Kind::kSignaled);
  EXPECT_EQ(content("x"), "");
  EXPECT_FALSE(fs::exists(folder_ + "/y"));
}

TEST_F(FaultPoint, AFailedCloseHasClosedTheDescriptor) {
  decide = [](const Change& change) { return change.syscall.name == "close" ? Order(FailWith{EIO}) : GoOn{}; };
  play("exec 9> x; exec 9>&-; [ ! -e /proc/self/fd/9 ]");
  EXPECT_TRUE(end_.success());
}

TEST_F(FaultPoint, LinksOnTheWayAreResolved) {
  play("mkdir real && ln -s real link && echo one > link/x");
  EXPECT_THAT(calls_, testing::Contains("openat real/x"));
}

}  // namespace
}  // namespace stage
