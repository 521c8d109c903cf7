#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "harness/faults/edits.h"
#include "harness/faults/files.h"
#include "harness/faults/git_damage.h"
#include "harness/faults/git_program.h"
#include "harness/faults/upstream.h"
#include "harness/scenario/names.h"

namespace faults {
namespace {

namespace fs = std::filesystem;
using scenario::EditKind;
using testing::HasSubstr;
using testing::Not;

constexpr std::int64_t kEpoch = 1'767'225'600;
const fs::path kFixture = fs::path(PROJECT_SOURCE_DIR) / "fixtures/repositories/gsm8k";

class FaultsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "faults_test.XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    bare_ = folder_ / "upstream/nexthybrid/AReaL.git";
    const auto made = make_upstream(bare_, kFixture, "DL4Math", kEpoch);
    ASSERT_TRUE(made) << made.error().message();
  }
  void TearDown() override { fs::remove_all(folder_); }

  void clone() {
    checkout_ = folder_ / "AReaL";
    const auto cloned = run_git({.arguments = {"clone", "-q", "-b", "DL4Math", "file://" + bare_.string(), checkout_}});
    ASSERT_TRUE(cloned) << cloned.error().message();
  }

  static std::string git(const fs::path& folder, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"-C", folder.string()});
    const auto said = run_git({.arguments = std::move(arguments)});
    return said ? *said : "failed: " + said.error().message();
  }

  void damage(const std::string& kind) {
    const auto done = apply_damage(checkout_, kind);
    ASSERT_TRUE(done) << done.error().message();
  }

  void edit(const scenario::UserEdit& edit) {
    const auto done = apply_user_edit(checkout_, edit, work_);
    ASSERT_TRUE(done) << done.error().message();
  }

  fs::path folder_;
  fs::path bare_;
  fs::path checkout_;
  std::vector<pod::Precious> work_;
};

// --- Git as a tool -------------------------------------------------------------------------------------------------

TEST_F(FaultsTest, GitFailsWithWhatItSaid) {
  const auto said = run_git({.arguments = {"-C", folder_.string(), "rev-parse", "HEAD"}});
  ASSERT_FALSE(said);
  EXPECT_THAT(said.error().message(), HasSubstr("not a git repository"));
}

TEST_F(FaultsTest, GitIgnoresTheConfigurationOfUserAndMachine) {
  const fs::path home = folder_ / "home";
  ASSERT_TRUE(write_file(home / ".gitconfig", "[alias]\n\tmine = version\n"));
  const std::string before = ::getenv("HOME") != nullptr ? ::getenv("HOME") : "";
  ::setenv("HOME", home.c_str(), 1);
  const auto said = run_git({.arguments = {"config", "--list"}});
  ::setenv("HOME", before.c_str(), 1);
  ASSERT_TRUE(said) << said.error().message();
  EXPECT_THAT(*said, Not(HasSubstr("alias")));
}

// --- Upstream ------------------------------------------------------------------------------------------------------

TEST_F(FaultsTest, UpstreamHoldsTheFixtureWithItsModes) {
  clone();
  EXPECT_EQ(*read_file(checkout_ / "setup.py"), *read_file(kFixture / "setup.py"));
  const std::string tree = git(bare_, {"ls-tree", "-r", "DL4Math"});
  EXPECT_THAT(tree, HasSubstr("100755 blob"));
  EXPECT_THAT(git(bare_, {"ls-tree", "DL4Math", "examples/cloud_gsm8k/run_training_cloud.sh"}), HasSubstr("100755"));
  EXPECT_THAT(git(bare_, {"ls-tree", "DL4Math", "examples/cloud_gsm8k/train.py"}), HasSubstr("100644"));
  EXPECT_EQ(git(bare_, {"fsck", "--full", "--strict"}), "");
}

TEST_F(FaultsTest, UpstreamHasTheSameIdsEachTime) {
  const fs::path again = folder_ / "again.git";
  ASSERT_TRUE(make_upstream(again, kFixture, "DL4Math", kEpoch));
  EXPECT_EQ(git(again, {"rev-parse", "DL4Math"}), git(bare_, {"rev-parse", "DL4Math"}));
  for (const fs::path& bare : {bare_, again}) {
    ASSERT_TRUE(upstream_commit(bare, "DL4Math", "", "", kEpoch + 60));
    ASSERT_TRUE(upstream_commit(bare, "DL4Math", "README.md", "new\n", kEpoch + 120));
  }
  EXPECT_EQ(git(again, {"rev-parse", "DL4Math"}), git(bare_, {"rev-parse", "DL4Math"}));
  EXPECT_EQ(git(bare_, {"rev-list", "--count", "DL4Math"}), "3\n");
}

TEST_F(FaultsTest, UpstreamCommitsCarryPathContentAndTime) {
  ASSERT_TRUE(upstream_commit(bare_, "DL4Math", "", "", kEpoch + 60));
  ASSERT_TRUE(upstream_commit(bare_, "DL4Math", "notes/a b \"c\".md", "text\n", kEpoch + 120));
  EXPECT_EQ(git(bare_, {"show", "DL4Math:upstream.txt"}), "upstream commit 2\n");
  EXPECT_EQ(git(bare_, {"show", "DL4Math:notes/a b \"c\".md"}), "text\n");
  EXPECT_EQ(git(bare_, {"log", "-1", "--format=%ct", "DL4Math"}), std::to_string(kEpoch + 120) + "\n");
  EXPECT_EQ(git(bare_, {"show", "DL4Math:setup.py"}), *read_file(kFixture / "setup.py"));
}

TEST_F(FaultsTest, UpstreamCommitKeepsAFileExecutable) {
  const std::string script = "examples/cloud_gsm8k/run_training_cloud.sh";
  ASSERT_TRUE(upstream_commit(bare_, "DL4Math", script, "#!/bin/sh\n", kEpoch + 60));
  EXPECT_THAT(git(bare_, {"ls-tree", "DL4Math", script}), HasSubstr("100755"));
}

TEST_F(FaultsTest, MissingFixtureIsAnError) {
  const auto made = make_upstream(folder_ / "x.git", folder_ / "nothing", "main", kEpoch);
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().message(), HasSubstr((folder_ / "nothing").string()));
}

// --- Damage --------------------------------------------------------------------------------------------------------

TEST_F(FaultsTest, EveryNamedDamageCanBeDone) {
  for (const std::string& kind : scenario::damage_names()) {
    clone();
    const auto done = apply_damage(checkout_, kind);
    EXPECT_TRUE(done) << kind << ": " << done.error().message();
    fs::remove_all(checkout_);
  }
}

TEST_F(FaultsTest, IndexLockKeepsGitFromWriting) {
  clone();
  damage("index-lock");
  EXPECT_THAT(git(checkout_, {"checkout", "DL4Math"}), HasSubstr("index.lock': File exists"));
}

TEST_F(FaultsTest, EmptyLooseObjectIsTheNewestCommit) {
  clone();
  damage("empty-loose-object");
  EXPECT_THAT(git(checkout_, {"cat-file", "commit", "HEAD"}), HasSubstr("is empty"));
  EXPECT_EQ(*read_file(checkout_ / "setup.py"), *read_file(kFixture / "setup.py"));
  const std::string fsck = git(checkout_, {"fsck", "--full"});
  EXPECT_THAT(fsck, HasSubstr("failed"));
}

TEST_F(FaultsTest, EmptyLooseObjectLeavesAllOthersSound) {
  clone();
  const std::string before = git(checkout_, {"rev-parse", "HEAD"});
  damage("empty-loose-object");
  const std::string name = before.substr(0, 40);
  const fs::path object = checkout_ / ".git/objects" / name.substr(0, 2) / name.substr(2);
  EXPECT_EQ(fs::file_size(object), 0U);
  fs::remove(object);
  ASSERT_TRUE(run_git({.arguments = {"-C", checkout_, "fetch", "-q", "--refetch", "origin"}}));
  EXPECT_EQ(git(checkout_, {"fsck", "--full", "--no-dangling"}), "");
}

TEST_F(FaultsTest, EmptyBranchRefBreaksHead) {
  clone();
  damage("empty-branch-ref");
  EXPECT_EQ(fs::file_size(checkout_ / ".git/refs/heads/DL4Math"), 0U);
  EXPECT_THAT(git(checkout_, {"rev-parse", "--verify", "HEAD"}), HasSubstr("failed"));
}

TEST_F(FaultsTest, ZeroedIndexKeepsItsSize) {
  clone();
  const auto size = fs::file_size(checkout_ / ".git/index");
  damage("zeroed-index");
  EXPECT_EQ(*read_file(checkout_ / ".git/index"), std::string(size, '\0'));
  EXPECT_THAT(git(checkout_, {"status"}), HasSubstr("bad signature 0x00000000"));
}

TEST_F(FaultsTest, WithoutHeadOrGitFolderThereIsNoRepository) {
  clone();
  damage("missing-head");
  EXPECT_THAT(git(checkout_, {"status"}), HasSubstr("not a git repository"));
  damage("git-gone");
  EXPECT_FALSE(fs::exists(checkout_ / ".git"));
  EXPECT_TRUE(fs::exists(checkout_ / "setup.py"));
}

TEST_F(FaultsTest, DamageNeedsACheckoutAndAKnownName) {
  const auto early = apply_damage(folder_ / "nothing", "index-lock");
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().code, base::ErrorCode::kNotFound);
  clone();
  const auto unknown = apply_damage(checkout_, "zeroed-indx");
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().message(), HasSubstr("Did you mean \"zeroed-index\"?"));
}

// --- The user ------------------------------------------------------------------------------------------------------

TEST_F(FaultsTest, ModifyChangesAFileAndKeepsItsMode) {
  clone();
  const std::string script = "examples/cloud_gsm8k/run_training_cloud.sh";
  edit({EditKind::kModify, script, "echo mine\n"});
  ASSERT_EQ(work_.size(), 1U);
  EXPECT_EQ(work_[0].content, "echo mine\n");
  EXPECT_EQ(work_[0].path, script);
  EXPECT_THAT(work_[0].description, HasSubstr("local edit of " + script));
  EXPECT_EQ(*read_file(checkout_ / script), "echo mine\n");
  EXPECT_EQ(git(checkout_, {"status", "--porcelain"}), " M " + script + "\n");
}

TEST_F(FaultsTest, UntrackedMakesANewFile) {
  clone();
  edit({EditKind::kUntracked, "notes/a.md", "mine\n"});
  EXPECT_EQ(git(checkout_, {"status", "--porcelain"}), "?? notes/\n");
}

TEST_F(FaultsTest, CommitIsOneAheadAndLeavesOtherWorkAlone) {
  clone();
  edit({EditKind::kModify, "README.md", "not committed\n"});
  edit({EditKind::kCommit, "areal/a.py", "mine = 1\n"});
  EXPECT_EQ(git(checkout_, {"rev-list", "--count", "origin/DL4Math..DL4Math"}), "1\n");
  EXPECT_EQ(git(checkout_, {"show", "HEAD:areal/a.py"}), "mine = 1\n");
  EXPECT_EQ(git(checkout_, {"status", "--porcelain"}), " M README.md\n");
  EXPECT_THAT(git(checkout_, {"reflog", "-1"}), HasSubstr("commit: Change areal/a.py"));
  EXPECT_EQ(git(checkout_, {"fsck", "--full"}), "");
}

TEST_F(FaultsTest, AStashLeavesWorkTreeAndIndexAlone) {
  clone();
  edit({EditKind::kModify, "README.md", "not committed\n"});
  edit({EditKind::kStash, "README.md", "for later\n"});
  EXPECT_EQ(git(checkout_, {"show", "stash@{0}:README.md"}), "for later\n");
  EXPECT_EQ(git(checkout_, {"status", "--porcelain"}), " M README.md\n");
  EXPECT_EQ(git(checkout_, {"fsck", "--full"}), "");
  EXPECT_EQ(work_.size(), 2U);
}

TEST_F(FaultsTest, WhatTheUserOverwritesHerselfIsNotMissed) {
  clone();
  edit({EditKind::kModify, "README.md", "first\n"});
  edit({EditKind::kModify, "README.md", "second\n"});
  ASSERT_EQ(work_.size(), 1U);
  EXPECT_EQ(work_[0].content, "second\n");
  edit({EditKind::kCommit, "README.md", "third\n"});
  edit({EditKind::kModify, "README.md", "fourth\n"});
  EXPECT_EQ(work_.size(), 2U) << "git has the third";
  ASSERT_TRUE(write_file(checkout_ / "README.md", "what somebody else has put there\n"));
  edit({EditKind::kModify, "README.md", "fifth\n"});
  EXPECT_EQ(work_.size(), 3U) << "she did not overwrite the fourth";
}

TEST_F(FaultsTest, ACommitThatGitDoesNotTakeLeavesTheFile) {
  clone();
  ASSERT_TRUE(apply_damage(checkout_, "zeroed-index"));
  EXPECT_FALSE(apply_user_edit(checkout_, {EditKind::kCommit, "areal/a.py", "mine = 1\n"}, work_));
  ASSERT_EQ(work_.size(), 1U);
  EXPECT_THAT(work_[0].description, HasSubstr("new file areal/a.py"));
  EXPECT_FALSE(work_[0].in_git);
  EXPECT_EQ(*read_file(checkout_ / "areal/a.py"), "mine = 1\n");
}

TEST_F(FaultsTest, EditsThatCannotBeAreErrors) {
  const auto early = apply_user_edit(folder_ / "nothing", {EditKind::kUntracked, "a", "b"}, work_);
  ASSERT_FALSE(early);
  EXPECT_THAT(early.error().message(), HasSubstr("there is no checkout"));
  clone();
  EXPECT_FALSE(apply_user_edit(checkout_, {EditKind::kModify, "nothing.md", "b"}, work_));
  EXPECT_FALSE(apply_user_edit(checkout_, {EditKind::kUntracked, "README.md", "b"}, work_));
  EXPECT_TRUE(work_.empty());
}

}  // namespace
}  // namespace faults
