#include <gmock/gmock.h>

#include "harness/oracle/pod_files.h"
#include "harness/oracle/promises.h"
#include "tests/harness/oracle_world.h"

namespace oracle {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

constexpr auto edit = "learning_rate = 0.0123  # mine\n";

class WorkPreserved : public WorldOnDisk {
 protected:
  Verdict check() { return ask("work-preserved", scenario_, record_); }
};

TEST_F(WorkPreserved, DoesNotApplyWithoutWork) {
  EXPECT_EQ(check().status, Status::kNotApplicable);
}

TEST_F(WorkPreserved, FindsAFileInQuarantine) {
  add_precious(edit);
  write(volume() / ".podlaunch/AReaL/quarantine/1/train.py", edit);
  EXPECT_EQ(check().status, Status::kPass);
}

TEST_F(WorkPreserved, FindsWorkInsideALargerFile) {
  add_precious(edit);
  write(container() / "root/train.py", std::string("import os\n") + edit + "run()\n");
  EXPECT_EQ(check().status, Status::kPass);
}

TEST_F(WorkPreserved, NamesWhatWasLostAndTheBootThatChangedIt) {
  make_checkout();
  add_precious(edit);
  record_.boots = {failing_boot(1), failing_boot(2), failing_boot(3)};
  record_.boots[1].trace.changed = {"/workspace/AReaL"};
  const auto verdict = check();
  EXPECT_EQ(verdict.status, Status::kFail);
  EXPECT_THAT(verdict.reason, HasSubstr("an edit"));
  EXPECT_THAT(verdict.reason, HasSubstr("/workspace/AReaL/train.py"));
  EXPECT_THAT(verdict.reason, HasSubstr("boot 2, which began at 0:00:17"));
}

TEST_F(WorkPreserved, AnEditIsNamedByItsPathInTheCheckout) {
  record_.precious.push_back({"an edit", "notes/warmup.md", edit});
  record_.boots = {failing_boot(1)};
  record_.boots[0].trace.changed = {"/workspace/AReaL/notes"};
  EXPECT_THAT(check().reason, HasSubstr("(/workspace/AReaL/notes/warmup.md; boot 1"));
}

TEST_F(WorkPreserved, ADiskThatIsGoneHoldsNothing) {
  add_precious(edit);
  write(container() / "root/train.py", edit);
  record_.disks.erase(record_.disks.begin());
  EXPECT_EQ(check().status, Status::kFail);
}

TEST_F(WorkPreserved, FindsACommitUnderARescueReference) {
  make_checkout();
  write(checkout() / "train.py", edit);
  git_in(checkout(), {"commit", "--quiet", "--all", "--message=mine"});
  const auto mine = git_in(checkout(), {"rev-parse", "HEAD"});
  git_in(checkout(), {"update-ref", "refs/podlaunch/rescue/1", mine});
  git_in(checkout(), {"reset", "--quiet", "--hard", "HEAD~1"});
  fs::remove_all(checkout() / ".git/logs");
  add_precious(edit);
  EXPECT_EQ(check().status, Status::kPass);
  git_in(checkout(), {"update-ref", "-d", "refs/podlaunch/rescue/1"});
  fs::remove(checkout() / ".git/ORIG_HEAD");
  fs::remove_all(checkout() / ".git/logs");
  EXPECT_EQ(check().status, Status::kFail) << "nothing leads to the commit any more";
}

TEST_F(WorkPreserved, ACommitThatOnlyTheReflogNamesIsLostInTheCheckoutAndKeptInQuarantine) {
  make_checkout();
  write(checkout() / "train.py", edit);
  git_in(checkout(), {"commit", "--quiet", "--all", "--message=mine"});
  git_in(checkout(), {"reset", "--quiet", "--hard", "HEAD~1"});
  add_precious(edit);
  EXPECT_EQ(check().status, Status::kFail) << "git forgets it after 30 days";
  EXPECT_THAT(missing_work(record_), testing::ElementsAre(false)) << "until then it is there";
  fs::create_directories(volume() / "quarantine");
  fs::rename(checkout() / ".git", volume() / "quarantine/git");
  EXPECT_EQ(check().status, Status::kPass) << "nobody collects garbage there";
}

TEST_F(WorkPreserved, FindsPackedObjects) {
  make_checkout();
  write(checkout() / "train.py", edit);
  git_in(checkout(), {"commit", "--quiet", "--all", "--message=mine"});
  write(checkout() / "train.py", "print('other')\n");
  git_in(checkout(), {"commit", "--quiet", "--all", "--message=other"});
  git_in(checkout(), {"gc", "--quiet", "--prune=now"});
  add_precious(edit);
  EXPECT_EQ(check().status, Status::kPass);
}

TEST_F(WorkPreserved, FindsWhatIsOnlyStaged) {
  make_checkout();
  write(checkout() / "train.py", edit);
  git_in(checkout(), {"add", "train.py"});
  write(checkout() / "train.py", "print('training')\n");
  add_precious(edit);
  EXPECT_EQ(check().status, Status::kPass);
  fs::remove(checkout() / ".git/index");
  EXPECT_EQ(check().status, Status::kFail);
}

TEST_F(WorkPreserved, FindsAStash) {
  make_checkout();
  write(checkout() / "train.py", edit);
  git_in(checkout(), {"stash", "push", "--quiet"});
  add_precious(edit);
  EXPECT_EQ(check().status, Status::kPass);
  write(checkout() / "train.py", "print('later')\n");
  git_in(checkout(), {"stash", "push", "--quiet"});
  EXPECT_EQ(check().status, Status::kPass) << "only the stash's reflog leads to the earlier one";
}

TEST_F(WorkPreserved, FindsWorkInARepositoryThatGitRefusesToOpen) {
  make_checkout();
  write(checkout() / "train.py", edit);
  git_in(checkout(), {"commit", "--quiet", "--all", "--message=mine"});
  fs::rename(checkout(), volume() / "quarantined");
  const auto git_folder = volume() / "quarantined/.git";
  fs::remove(volume() / "quarantined/train.py");
  fs::remove(git_folder / "HEAD");
  fs::remove(git_folder / "index");
  write(git_folder / "refs/heads/other", "");
  add_precious(edit);
  EXPECT_EQ(check().status, Status::kPass);
  fs::create_directory(git_folder / "HEAD");
  EXPECT_EQ(check().status, Status::kPass);
}

TEST_F(WorkPreserved, FindsWorkBesideADamagedObject) {
  make_checkout();
  const auto first = git_in(checkout(), {"rev-parse", "HEAD"});
  write(checkout() / "train.py", edit);
  git_in(checkout(), {"commit", "--quiet", "--all", "--message=mine"});
  const auto object = checkout() / ".git/objects" / first.substr(0, 2) / first.substr(2);
  fs::permissions(object, fs::perms::owner_all);
  fs::resize_file(object, 0);
  write(checkout() / "train.py", "print('other')\n");
  add_precious(edit);
  EXPECT_EQ(check().status, Status::kPass) << check().reason;
}

TEST_F(WorkPreserved, TheSearchLeavesTheDisksAsTheyAre) {
  make_checkout();
  add_precious(edit);
  const auto listing = [&] {
    std::set<std::pair<std::string, std::string>> files;
    for (const auto& entry : fs::recursive_directory_iterator(volume())) {
      files.emplace(entry.path().string(), entry.is_regular_file() ? read_file(entry.path()).value_or("") : "");
    }
    return files;
  };
  const auto before = listing();
  check();
  EXPECT_EQ(listing(), before);
}

TEST_F(WorkPreserved, LinksInThePodLeadWhereThePodSeesThem) {
  write(volume() / "real/file", "x");
  fs::create_directory_symlink("/workspace/real", container() / "alias");
  fs::create_directory_symlink("/etc", volume() / "escape");
  EXPECT_EQ(host_path(record_, "/alias/file"), volume() / "real/file");
  EXPECT_EQ(host_path(record_, "/workspace/escape/passwd"), container() / "etc/passwd");
  EXPECT_EQ(host_path(record_, "/workspace/../workspace/real"), volume() / "real");
  fs::create_symlink("round", volume() / "round");
  EXPECT_EQ(host_path(record_, "/workspace/round"), std::nullopt);
}

}  // namespace
}  // namespace oracle
