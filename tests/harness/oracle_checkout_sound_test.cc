#include <gmock/gmock.h>

#include "tests/harness/oracle_world.h"

namespace oracle {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

class CheckoutSound : public WorldOnDisk {
 protected:
  Verdict check() { return ask("checkout-sound", scenario_, record_); }
  fs::path git_folder() const { return checkout() / ".git"; }
};

TEST_F(CheckoutSound, AHealthyCheckoutPasses) {
  make_checkout();
  EXPECT_EQ(check().status, Status::kPass) << check().reason;
}

TEST_F(CheckoutSound, LocalChangesAreSound) {
  make_checkout();
  write(checkout() / "train.py", "changed\n");
  write(checkout() / "notes.txt", "untracked\n");
  EXPECT_EQ(check().status, Status::kPass);
}

TEST_F(CheckoutSound, DoesNotApplyWhereNoneEverExisted) {
  EXPECT_EQ(check().status, Status::kNotApplicable);
}

TEST_F(CheckoutSound, ACheckoutThatIsGoneFails) {
  record_.boots = {failing_boot(1)};
  record_.boots[0].trace.changed = {"/workspace/AReaL/train.py"};
  EXPECT_EQ(check().status, Status::kFail);
}

TEST_F(CheckoutSound, ACompletedTrainingWithoutACheckoutFails) {
  record_.outcome = scenario::Outcome::kCompleted;
  EXPECT_EQ(check().status, Status::kFail);
}

TEST_F(CheckoutSound, AFolderWithoutGitFailsEvenInsideAnotherRepository) {
  git_in(volume(), {"init", "--quiet"});
  fs::create_directories(checkout());
  EXPECT_EQ(check().status, Status::kFail);
}

struct Damage {
  const char* name;
  void (*apply)(const fs::path& git_folder);
  const char* words;
};

class CheckoutDamaged : public CheckoutSound, public ::testing::WithParamInterface<Damage> {};

TEST_P(CheckoutDamaged, Fails) {
  make_checkout();
  GetParam().apply(git_folder());
  const auto verdict = check();
  EXPECT_EQ(verdict.status, Status::kFail);
  EXPECT_THAT(verdict.reason, HasSubstr(GetParam().words));
}

fs::path an_object(const fs::path& git_folder) {
  for (const auto& entry : fs::recursive_directory_iterator(git_folder / "objects")) {
    if (entry.is_regular_file()) return entry.path();
  }
  return {};
}

INSTANTIATE_TEST_SUITE_P(
    Damages, CheckoutDamaged,
    ::testing::Values(Damage{"IndexLock", [](const fs::path& git) { std::ofstream(git / "index.lock"); }, "index.lock"},
                      Damage{"BranchLock", [](const fs::path& git) { std::ofstream(git / "refs/heads/DL4Math.lock"); },
                             "refs/heads/DL4Math.lock"},
                      Damage{"EmptyObject",
                             [](const fs::path& git) {
                               const auto object = an_object(git);
                               fs::permissions(object, fs::perms::owner_all);
                               fs::resize_file(object, 0);
                             },
                             "AReaL"},
                      Damage{"EmptyBranch", [](const fs::path& git) { fs::resize_file(git / "refs/heads/DL4Math", 0); },
                             "HEAD"},
                      Damage{"MissingHead", [](const fs::path& git) { fs::remove(git / "HEAD"); }, "HEAD"},
                      Damage{"ZeroedIndex",
                             [](const fs::path& git) {
                               const auto size = fs::file_size(git / "index");
                               std::ofstream(git / "index", std::ios::binary) << std::string(size, '\0');
                             },
                             "index"},
                      Damage{"NoGitFolder", [](const fs::path& git) { fs::remove_all(git); }, ".git"}),
    [](const auto& damage) { return damage.param.name; });

}  // namespace
}  // namespace oracle
