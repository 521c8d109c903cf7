// The helper that works on a checkout may be killed at any moment. Here it is, at every kind of system call that
// changes a disk, counted by ptrace; then a second boot must find everything and finish the work. The normal run takes
// a seeded sample of the moments; PODLAUNCH_SLOW_TESTS=1 takes all.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <random>

#include "damage.h"
#include "lived_in.h"

namespace checkout {
namespace {

bool changes_a_disk(const struct __ptrace_syscall_info& info) {
  switch (info.entry.nr) {
    case SYS_openat:
      return (info.entry.args[2] & (O_CREAT | O_TRUNC)) != 0;
    case SYS_open:
      return (info.entry.args[1] & (O_CREAT | O_TRUNC)) != 0;
    case SYS_rename:
    case SYS_renameat:
    case SYS_renameat2:
    case SYS_unlink:
    case SYS_unlinkat:
    case SYS_mkdir:
    case SYS_mkdirat:
    case SYS_rmdir:
    case SYS_link:
    case SYS_linkat:
    case SYS_symlink:
    case SYS_symlinkat:
    case SYS_write:
    case SYS_pwrite64:
    case SYS_copy_file_range:
    case SYS_sendfile:
    case SYS_chmod:
    case SYS_fchmod:
    case SYS_fchmodat:
      return true;
    default:
      return false;
  }
}

void reap_everything() {
  while (::waitpid(-1, nullptr, __WALL) > 0 || errno == EINTR) {
  }
}

// Runs bring_up in a child and kills it before its `moment`-th change of a disk; 0 never. Returns how many there were.
int run_until(const Request& request, int moment) {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  const pid_t child = ::fork();
  if (child == 0) {
    ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    ::raise(SIGSTOP);
    (void)bring_up(request);
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ::ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
  int count = 0;
  int signal = 0;
  for (;;) {
    ::ptrace(PTRACE_SYSCALL, child, nullptr, signal);
    signal = 0;
    if (::waitpid(child, &status, __WALL) != child || WIFEXITED(status) || WIFSIGNALED(status)) break;
    if (WSTOPSIG(status) != (SIGTRAP | 0x80)) {
      signal = WSTOPSIG(status);
      continue;
    }
    struct __ptrace_syscall_info info {};
    ::ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof info, &info);
    if (info.op != PTRACE_SYSCALL_INFO_ENTRY || !changes_a_disk(info)) continue;
    if (++count == moment) ::kill(child, SIGKILL);
  }
  reap_everything();
  return count;
}

void damage(const LivedIn& world, const std::string& id) {
  for (const DamageEntry& entry : read_catalogue()) {
    if (entry.id != id) continue;
    EXPECT_TRUE(Damager(world.path).apply(entry.operations)) << id;
  }
}

class Killed : public testing::TestWithParam<std::string> {};

void prepare(const LivedIn& world, const std::string& what) {
  world.reset();
  if (what == "clone") fs::remove_all(world.path);
  if (what == "foreign-folder") {
    fs::remove_all(world.path / ".git");
    write_file(world.path / "train.py", "another\n");
    write_file(world.path / "README.md", "another\n");
    write_file(world.path / ".gitignore", "another\n");
  }
  if (what != "clone" && what != "foreign-folder" && what != "update") damage(world, what);
}

TEST_P(Killed, AtAnyMomentLosesNothing) {
  const std::string& what = GetParam();
  // What the damage needs: loose objects, packed references, or whatever work leaves behind.
  LivedIn world(what == "upstream-blob-missing" ? Storage::kLoose
                : what == "packed-refs-torn"    ? Storage::kPacked
                                                : Storage::kMixed);
  if (what == "update") {
    World::must("cd " + (world.root / "template").string() +
                " && git update-ref refs/rescued/local DL4Math && git reset -q --soft HEAD~1");
    world.commit_upstream("train.py", "print('newer')\n", "newer");
    world.commit_upstream("lib/new.py", "print('new')\n", "new");
  }
  Request request = world.request();
  request.deep = true;
  prepare(world, what);
  const auto lost_anyway = world.lost();
  const int moments = run_until(request, 0);
  ASSERT_GT(moments, 0);
  std::vector<int> chosen;
  for (int moment = 1; moment <= moments; ++moment) chosen.push_back(moment);
  const char* only = std::getenv("PODLAUNCH_TEST_MOMENT");
  if (only != nullptr) {
    chosen = {std::atoi(only)};
  } else if (!slow_tests()) {
    std::mt19937 random(1);
    std::shuffle(chosen.begin(), chosen.end(), random);
    chosen.resize(std::min<std::size_t>(chosen.size(), 6));
  }
  for (const int moment : chosen) {
    SCOPED_TRACE("killed: " + what + " at " + std::to_string(moment) + " of " + std::to_string(moments));
    prepare(world, what);
    run_until(request, moment);
    const auto outcome = bring_up(request);
    EXPECT_TRUE(outcome.has_value()) << (outcome ? "" : outcome.error().message());
    if (!outcome) continue;
    EXPECT_TRUE(world.fsck_is_clean()) << world.fsck() << all_of(*outcome);
    for (const std::string& mark : world.lost()) {
      EXPECT_TRUE(what == "clone" || lost_anyway.contains(mark) || what == "git-folder-gone") << mark << " is lost\n"
                                                                                              << all_of(*outcome);
    }
    if (what == "update") {
      EXPECT_EQ(outcome->commit, world.tip()) << all_of(*outcome);
      EXPECT_EQ(read_text(world.path / "lib/new.py"), "print('new')\n");
      EXPECT_EQ(read_text(world.path / "train.py"), "print('newer')\n");
    }
    const auto again = bring_up(request);
    EXPECT_TRUE(again && again->done.empty()) << (again ? all_of(*again) : again.error().message());
  }
}

INSTANTIATE_TEST_SUITE_P(During, Killed,
                         testing::Values("clone", "foreign-folder", "update", "index-zeroed", "upstream-blob-missing",
                                         "git-folder-gone", "branch-empty", "packed-refs-torn", "pack-flipped",
                                         "power-cut", "half-deleted", "disk-full", "staged-blob-missing",
                                         "local-commit-empty", "file-zeroed-with-same-times"),
                         [](const auto& test) {
                           std::string name = test.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace checkout
