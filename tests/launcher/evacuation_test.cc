// Evacuation against real git, with git itself as the witness of what was kept; and killed at every kind of moment.
#include "launcher/evacuation/evacuation.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <random>

#include "checkout_world.h"

namespace evacuation {
namespace {

namespace fs = std::filesystem;
using checkout::read_text;
using checkout::shell;
using checkout::write_file;
using testing::Contains;
using testing::HasSubstr;

// A checkout on a disk that goes, lived in; a volume beside it that stays.
class Evacuation : public testing::Test {
 protected:
  void SetUp() override {
    must("git clone -q " + world.remote.string() + " " + world.path.string());
    fs::create_directories(volume());
  }

  static void must(const std::string& command) {
    const auto said = shell(command);
    ASSERT_EQ(said.status, 0) << command << "\n" << said.output;
  }
  void in_checkout(const std::string& command) const { must("cd " + world.path.string() + " && " + command); }
  fs::path volume() const { return world.root / "volume"; }
  fs::path results() const { return world.root / "disk/outputs"; }

  Request request(Ends ends = Ends::kContainer, const std::string& kind = "ext4") const {
    const std::string table = "1 0 0:1 / / rw - overlay overlay rw\n2 1 0:2 / " + volume().string() + " rw - " + kind +
                              " /dev/sdb rw\n3 1 0:3 / /etc/hosts rw - ext4 /dev/sda rw\n";
    return {.run = "run-1",
            .checkout = world.path,
            .private_folder = world.path.parent_path() / ".podlaunch/project",
            .state = volume() / ".podlaunch/runs/run-1",
            .results = {(results() / "*.pt").string()},
            .disks = pod::Disks::parse(table),
            .ends = ends};
  }

  // Everything that a user may have in a checkout.
  void live_in() const {
    in_checkout("printf stashed > train.py && git stash -q");
    in_checkout("printf branched > branch.txt && git checkout -q -b side && git add -A && git commit -qm side");
    in_checkout("git checkout -q DL4Math && printf local > local.txt && git add -A && git commit -qm local");
    in_checkout("printf forgotten > f.txt && git add -A && git commit -qm forgotten && git reset -q --hard HEAD~1");
    in_checkout(
        "printf rescued > r.txt && git add -A && git commit -qm rescued && "
        "git update-ref refs/podlaunch/rescue/x HEAD && git reset -q --hard HEAD~1 && git reflog expire "
        "--expire=now refs/heads/DL4Math");
    in_checkout("printf staged > staged.txt && git add staged.txt && rm staged.txt");
    write_file(world.path / "README.md", "edited");
    write_file(world.path / "notes/idea.txt", "untracked");
    write_file(world.path / ".gitignore", "*.log\n");
    write_file(world.path / "train.log", "ignored");
    write_file(world.path / "__pycache__/x.pyc", "cache");
    write_file(request().private_folder / "quarantine/case-1/thing", "quarantined");
    write_file(results() / "model.pt", "weights");
  }

  // What a person gets back from a case.
  void expect_all_of_it(const fs::path& folder) const {
    EXPECT_EQ(read_text(folder / "checkout/files/README.md"), "edited");
    EXPECT_EQ(read_text(folder / "checkout/files/notes/idea.txt"), "untracked");
    EXPECT_EQ(read_text(folder / "checkout/files/train.log"), "ignored");
    EXPECT_FALSE(fs::exists(folder / "checkout/files/__pycache__"));
    EXPECT_FALSE(fs::exists(folder / "checkout/files/examples/run.sh")) << "it is upstream";
    EXPECT_EQ(read_text(folder / "checkout/staged/staged.txt.0"), "staged");
    EXPECT_EQ(read_text(folder / "quarantine/case-1/thing"), "quarantined");
    EXPECT_EQ(read_text(folder / "results" / results().relative_path() / "model.pt"), "weights");
    const fs::path clone = world.root / "another";
    fs::remove_all(clone);
    must("git clone -q " + world.remote.string() + " " + clone.string());
    must("cd " + clone.string() + " && git bundle verify -q " + (folder / "checkout/commits.bundle").string());
    must("cd " + clone.string() + " && git fetch -q " + (folder / "checkout/commits.bundle").string() +
         " 'refs/*:refs/evacuated/*' && git fsck --full --strict");
    for (const char* text : {"stashed", "branched", "local", "forgotten", "rescued"}) {
      const auto found = shell("cd " + clone.string() + " && git grep -h -c '^" + std::string(text) +
                               "$' $(git for-each-ref --format='%(objectname)' refs/evacuated)");
      EXPECT_EQ(found.status, 0) << text << " is lost";
    }
    EXPECT_EQ(shell("cd " + clone.string() + " && git rev-parse -q --verify refs/evacuated/stash").status, 0);
  }

  checkout::World world;
};

TEST_F(Evacuation, KeepsEverythingThatIsNotUpstream) {
  live_in();
  const auto outcome = evacuate(request());
  ASSERT_TRUE(outcome) << outcome.error().message();
  expect_all_of_it(outcome->folder);
  EXPECT_THAT(outcome->kept, Contains(HasSubstr("not upstream")));
}

TEST_F(Evacuation, OfACleanCheckoutKeepsNothing) {
  const auto outcome = evacuate(request());
  ASSERT_TRUE(outcome) << outcome.error().message();
  EXPECT_TRUE(outcome->folder.empty()) << outcome->kept.front();
  EXPECT_TRUE(fs::is_empty(volume()));
}

TEST_F(Evacuation, OfACheckoutThatStaysKeepsNothing) {
  Request asked = request();
  live_in();
  asked.disks = pod::Disks::parse("1 0 0:1 / / rw - overlay overlay rw\n2 1 0:2 / " + world.root.string() +
                                  " rw - ext4 /dev/sdb rw\n");
  const auto outcome = evacuate(asked);
  ASSERT_TRUE(outcome) << outcome.error().message();
  EXPECT_TRUE(outcome->folder.empty());
}

TEST_F(Evacuation, OfTheSameContentMakesOneCase) {
  live_in();
  const auto first = evacuate(request());
  const auto second = evacuate(request());
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->folder, second->folder);
  write_file(world.path / "README.md", "edited again");
  const auto third = evacuate(request());
  ASSERT_TRUE(third);
  EXPECT_NE(first->folder, third->folder);
  expect_all_of_it(first->folder);
}

TEST_F(Evacuation, ADamagedCaseIsMadeAgain) {
  live_in();
  const auto first = evacuate(request());
  ASSERT_TRUE(first);
  write_file(first->folder / "checkout/files/README.md", "EDITED");
  const auto second = evacuate(request());
  ASSERT_TRUE(second) << second.error().message();
  expect_all_of_it(second->folder);
}

TEST_F(Evacuation, WithoutADiskThatStaysIsRefused) {
  live_in();
  Request asked = request();
  asked.disks = pod::Disks::parse("1 0 0:1 / / rw - overlay overlay rw\n");
  const auto outcome = evacuate(asked);
  ASSERT_FALSE(outcome.has_value());
  EXPECT_THAT(outcome.error().message(), HasSubstr("would be lost"));
}

TEST_F(Evacuation, BeforeATerminationAVolumeIsNoPlaceToKeepThings) {
  live_in();
  EXPECT_FALSE(evacuate(request(Ends::kPod)).has_value());
  const auto outcome = evacuate(request(Ends::kPod, "fuse.mfs"));
  ASSERT_TRUE(outcome) << outcome.error().message();
  expect_all_of_it(outcome->folder);
}

TEST_F(Evacuation, TriesTheNextDiskWhenOneTakesNothing) {
  live_in();
  Request asked = request();
  const fs::path other = world.root / "other";
  fs::create_directories(other);
  write_file(volume() / ".podlaunch", "a file where the folder would be");
  asked.disks = pod::Disks::parse("1 0 0:1 / / rw - overlay overlay rw\n2 1 0:2 / " + volume().string() +
                                  " rw - ext4 /dev/sdb rw\n3 1 0:3 / " + other.string() + " rw - ext4 /dev/sdc rw\n");
  const auto outcome = evacuate(asked);
  ASSERT_TRUE(outcome) << outcome.error().message();
  EXPECT_THAT(outcome->folder.string(), HasSubstr(other.string()));
  expect_all_of_it(outcome->folder);
}

TEST_F(Evacuation, OfARepositoryWithAHoleKeepsTheWholeGitFolder) {
  live_in();
  in_checkout("rm -f .git/objects/$(git rev-parse side | sed 's#^..#&/#')");
  const auto outcome = evacuate(request());
  ASSERT_TRUE(outcome) << outcome.error().message();
  EXPECT_TRUE(fs::exists(outcome->folder / "checkout/git-folder/HEAD"));
  EXPECT_EQ(read_text(outcome->folder / "checkout/files/README.md"), "edited");
}

TEST_F(Evacuation, OfAFolderThatIsNoRepositoryKeepsItsFiles) {
  in_checkout("rm -rf .git");
  const auto outcome = evacuate(request());
  ASSERT_TRUE(outcome) << outcome.error().message();
  EXPECT_TRUE(fs::exists(outcome->folder / "checkout/files/train.py"));
}

// --- Kills ---------------------------------------------------------------------------------------------------------

bool changes_a_disk(const struct __ptrace_syscall_info& info) {
  switch (info.entry.nr) {
    case SYS_openat:
      return (info.entry.args[2] & O_CREAT) != 0;
    case SYS_rename:
    case SYS_unlink:
    case SYS_unlinkat:
    case SYS_mkdir:
    case SYS_symlink:
    case SYS_write:
    case SYS_fsync:
    case SYS_fchmod:
      return true;
    default:
      return false;
  }
}

// Evacuates in a child and kills it before its `moment`-th change of a disk; 0 never. Returns how many there were.
int evacuate_until(const Request& request, int moment) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    ::raise(SIGSTOP);
    (void)evacuate(request);
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ::ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
  int count = 0;
  for (int signal = 0;;) {
    ::ptrace(PTRACE_SYSCALL, child, nullptr, signal);
    signal = 0;
    if (::waitpid(child, &status, __WALL) != child || WIFEXITED(status) || WIFSIGNALED(status)) return count;
    if (WSTOPSIG(status) != (SIGTRAP | 0x80)) {
      signal = WSTOPSIG(status);
      continue;
    }
    struct __ptrace_syscall_info info {};
    ::ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof info, &info);
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY && changes_a_disk(info) && ++count == moment) ::kill(child, SIGKILL);
  }
}

TEST_F(Evacuation, KilledAtAnyMomentLosesNothingAndIsCompletedByTheNextOne) {
  live_in();
  const auto digest = [&] { return shell("cd " + world.path.string() + " && find . -type f | sort | xargs sha1sum"); };
  const std::string before = digest().output;
  const int moments = evacuate_until(request(), 0);
  ASSERT_GT(moments, 20);
  std::vector<int> chosen;
  for (int moment = 1; moment <= moments; ++moment) chosen.push_back(moment);
  if (std::getenv("PODLAUNCH_SLOW_TESTS") == nullptr) {
    std::mt19937 random(1);
    std::shuffle(chosen.begin(), chosen.end(), random);
    chosen.resize(5);
  }
  for (const int moment : chosen) {
    SCOPED_TRACE("killed at " + std::to_string(moment) + " of " + std::to_string(moments));
    fs::remove_all(volume() / ".podlaunch");
    evacuate_until(request(), moment);
    EXPECT_EQ(digest().output, before) << "what was to be kept has changed";
    const auto outcome = evacuate(request());
    ASSERT_TRUE(outcome) << outcome.error().message();
    expect_all_of_it(outcome->folder);
    std::size_t entries = 0;
    for ([[maybe_unused]] const auto& entry : fs::directory_iterator(outcome->folder.parent_path())) ++entries;
    EXPECT_EQ(entries, 1U) << "something is left over";
  }
}

}  // namespace
}  // namespace evacuation
