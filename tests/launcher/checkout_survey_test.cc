// What a survey costs and how it behaves where there is very much to look at.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "checkout_world.h"

namespace checkout {
namespace {

class SurveyOfAWorkTree : public testing::TestWithParam<Depth> {};

// Whatever lies where a tracked file was, is a local change, and nobody waits for its other end.
TEST_P(SurveyOfAWorkTree, TakesAPipeFolderOrLinkInAFilesPlaceForALocalChange) {
  const World world;
  must_bring_up(world.request());
  const fs::path file = world.path / "train.py";
  const std::vector<std::function<void()>> puts = {[&] { ASSERT_EQ(::mkfifo(file.c_str(), 0644), 0); },
                                                   [&] { fs::create_directory(file); },
                                                   [&] { fs::create_symlink("README.md", file); }};
  for (const auto& put : puts) {
    fs::remove_all(file);
    put();
    const auto survey = checkout::survey(world.path, GetParam());
    ASSERT_TRUE(survey.has_value()) << survey.error().message();
    EXPECT_TRUE(survey->sound()) << to_json(*survey);
    EXPECT_TRUE(survey->has(FindingKind::kLocalChanges)) << to_json(*survey);
  }
}

INSTANTIATE_TEST_SUITE_P(Each, SurveyOfAWorkTree, testing::Values(Depth::kQuick, Depth::kDeep));

double processor_seconds() {
  struct rusage usage {};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

bool is_empty_or_absent(const fs::path& folder) {
  std::error_code error;
  return !fs::exists(folder) || fs::is_empty(folder, error);
}

class SurveyOfManyReferences : public testing::TestWithParam<Depth> {};

// Read once for each of them, the commit would take minutes.
TEST_P(SurveyOfManyReferences, ReadsWhatTheyNameOnce) {
  const World world;
  must_bring_up(world.request());
  write_file(world.root / "message", std::string(8'000'000, 'm') + "\n");
  world.git("commit -q --allow-empty -F " + (world.root / "message").string());
  const std::string head = world.head();
  std::string packed = "# pack-refs with: peeled fully-peeled sorted \n";
  for (int i = 100'000; i < 120'000; ++i) packed += head + " refs/heads/many/branch" + std::to_string(i) + "\n";
  write_file(world.path / ".git/packed-refs", packed);
  const double before = processor_seconds();
  const auto survey = checkout::survey(world.path, GetParam());
  ASSERT_TRUE(survey.has_value()) << survey.error().message();
  EXPECT_TRUE(survey->sound()) << to_json(*survey);
  EXPECT_LT(processor_seconds() - before, 10);
}

INSTANTIATE_TEST_SUITE_P(Each, SurveyOfManyReferences, testing::Values(Depth::kQuick, Depth::kDeep));

// Calls `act` in a process of a user for whom modes count. Its status, or what killed it.
int as_ordinary_user(const World& world, const std::function<int()>& act) {
  constexpr int kNobody = 65534;
  const bool root = ::geteuid() == 0;
  fs::permissions(world.home, fs::perms::owner_all | fs::perms::others_read | fs::perms::others_exec);
  if (root) World::must(fmt::format("chown -R {0}:{0} {1}", kNobody, world.root.string()));
  const pid_t child = ::fork();
  if (child == 0) {
    if (root && (::setgid(kNobody) != 0 || ::setuid(kNobody) != 0)) ::_exit(99);
    ::_exit(act());
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (root) World::must("chown -R 0:0 " + world.root.string());
  return status;
}

class ClosedFolder : public testing::TestWithParam<const char*> {};

TEST_P(ClosedFolder, IsOpenedForItsOwnerFirst) {
  const World world;
  must_bring_up(world.request());
  const std::string head = world.head();
  World::must("chmod 000 " + (world.path / GetParam()).string());
  const int status = as_ordinary_user(world, [&] {
    const auto outcome = repair(world.request());
    if (!outcome) std::fprintf(stderr, "%s\n", outcome.error().message().c_str());
    return outcome && outcome->commit == head && outcome->rescued.empty() ? 0 : 1;
  });
  EXPECT_EQ(status, 0);
  EXPECT_EQ(world.git("status --porcelain"), "");
  EXPECT_TRUE(world.fsck_is_clean());
  EXPECT_TRUE(is_empty_or_absent(world.quarantine()));
}

INSTANTIATE_TEST_SUITE_P(Each, ClosedFolder,
                         testing::Values(".", ".git", ".git/objects", ".git/refs", ".git/refs/heads", ".git/logs"));

}  // namespace
}  // namespace checkout
