// Files that git passes through a program: Git LFS by its pointers, and others of which only git knows the contents.
#include <gmock/gmock.h>

#include "checkout_world.h"

namespace checkout {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::vector<std::string> kinds_of(const Survey& survey) {
  std::vector<std::string> kinds;
  for (const Finding& finding : survey.findings) kinds.emplace_back(name(finding.kind));
  return kinds;
}

class CheckoutFilters : public testing::Test {
 protected:
  void SetUp() override {
    write_file(
        program("lfs"),
        "#!/bin/sh\ncat >$0.$$; printf 'version https://git-lfs.github.com/spec/v1\\noid sha256:%s\\nsize %s\\n' "
        "$(sha256sum <$0.$$ | cut -d' ' -f1) $(wc -c <$0.$$); rm $0.$$\n");
    write_file(program("rot"), "#!/bin/sh\ntr a-z n-za-m\n");
    World::must("chmod +x " + program("lfs").string() + " " + program("rot").string());
    configure(world_.author);
    write_file(world_.author / ".gitattributes", "*.secret filter=rot\n");
    write_file(world_.author / "data/.gitattributes", "*.bin filter=lfs -text\n");
    write_file(world_.author / "data/weights.bin", kWeights);
    world_.commit_upstream("a.secret", "nobody knows\n", "filtered");
    must_bring_up(world_.request());
  }

  fs::path program(const std::string& name) const { return world_.root / name; }
  fs::path weights() const { return world_.path / "data/weights.bin"; }
  void configure(const fs::path& checkout) const {
    for (const char* filter : {"lfs", "rot"})
      World::must("git -C " + checkout.string() + " config filter." + filter + ".clean " + program(filter).string());
  }
  // As after `git lfs pull` and git-crypt unlock, a while ago.
  void bring_contents() const {
    configure(world_.path);
    write_file(weights(), kWeights);
    write_file(world_.path / "a.secret", "nobody knows\n");
    const std::string files = weights().string() + " " + (world_.path / "a.secret").string();
    World::must("touch -d '2 hours ago' " + files + " && cd " + world_.path.string() +
                " && git add . && git update-index -q --refresh");
    ASSERT_EQ(world_.git("status --porcelain"), "");
  }
  Survey survey(Depth depth) const { return checkout::survey(world_.path, depth).value_or(Survey()); }

  const std::string kWeights = std::string(100'000, 'w');
  const World world_;
};

TEST_F(CheckoutFilters, PointersAreToldAlsoWhereTheirAttributesLieDeep) {
  EXPECT_THAT(kinds_of(survey(Depth::kQuick)), ElementsAre("lfs-pointers"));
  EXPECT_THAT(all_of(must_bring_up(world_.request())), HasSubstr("1 pointer of Git LFS, data/weights.bin"));
  bring_contents();
  EXPECT_THAT(kinds_of(survey(Depth::kQuick)), IsEmpty());
  EXPECT_THAT(all_of(must_bring_up(world_.request())), Not(HasSubstr("LFS")));
}

TEST_F(CheckoutFilters, ContentsAreSoundAndStay) {
  bring_contents();
  for (const LocalChanges local_changes : {LocalChanges::kKeep, LocalChanges::kSetAside}) {
    for (const bool other_disk : {false, true}) {
      if (other_disk) World::must("find " + world_.path.string() + " -name '*.bin' -exec touch {} +");
      EXPECT_THAT(kinds_of(survey(Depth::kDeep)), IsEmpty());
      Request request = world_.request();
      request.deep = true;
      request.local_changes = local_changes;
      const Outcome outcome = must_bring_up(request);
      EXPECT_THAT(outcome.rescued, IsEmpty()) << all_of(outcome);
      EXPECT_EQ(read_text(weights()), kWeights);
      EXPECT_EQ(read_text(world_.path / "a.secret"), "nobody knows\n");
    }
  }
}

TEST_F(CheckoutFilters, LocalChangesBesideThemAreSetAside) {
  bring_contents();
  write_file(world_.path / "train.py", "print('mine')\n");
  write_file(world_.path / "new.py", "mine\n");
  world_.git("add new.py");
  Request request = world_.request();
  request.local_changes = LocalChanges::kSetAside;
  const Outcome outcome = must_bring_up(request);
  ASSERT_EQ(outcome.rescued.size(), 1U) << all_of(outcome);
  EXPECT_EQ(world_.git("show " + outcome.rescued[0].where + ":train.py"), "print('mine')\n");
  EXPECT_EQ(world_.git("show " + outcome.rescued[0].where + ":new.py"), "mine\n");
  EXPECT_EQ(read_text(world_.path / "train.py"), "print('step')\n");
  EXPECT_EQ(read_text(weights()), kWeights);
  EXPECT_EQ(world_.git("status --porcelain -uno"), "");
}

TEST_F(CheckoutFilters, LostContentsAreToldAndNotReplacedByAPointer) {
  bring_contents();
  const auto stamp = fs::last_write_time(weights());
  const std::string zeros(kWeights.size(), '\0');
  for (const std::string& lost : {zeros, std::string(kWeights.size(), 'x')}) {
    write_file(weights(), lost);
    fs::last_write_time(weights(), stamp);
    EXPECT_THAT(kinds_of(survey(Depth::kDeep)), ElementsAre("filtered-file-lost"));
    const auto outcome = repair(world_.request());
    ASSERT_TRUE(outcome) << outcome.error().message();
    EXPECT_EQ(read_text(weights()), lost);
  }
}

TEST_F(CheckoutFilters, UpdateThatWouldMakeThemPointersIsLeftToGit) {
  bring_contents();
  const std::string before = world_.head();
  world_.commit_upstream("data/weights.bin", std::string(90'000, 'v'), "new weights");
  for (const LocalChanges local_changes : {LocalChanges::kKeep, LocalChanges::kSetAside}) {
    Request request = world_.request();
    request.local_changes = local_changes;
    const Outcome outcome = must_bring_up(request);
    EXPECT_EQ(outcome.commit, before);
    EXPECT_THAT(all_of(outcome), HasSubstr("`git pull` there"));
    EXPECT_EQ(read_text(weights()), kWeights);
  }
}

TEST_F(CheckoutFilters, PointersAreUpdatedLikeOtherFiles) {
  const std::string tip = world_.commit_upstream("data/weights.bin", std::string(90'000, 'v'), "new weights");
  EXPECT_EQ(must_bring_up(world_.request()).commit, tip);
  EXPECT_THAT(read_text(weights()), HasSubstr("size 90000"));
}

TEST_F(CheckoutFilters, ContentsStayWhenTheirGitFolderIsLost) {
  bring_contents();
  fs::remove_all(world_.path / ".git");
  must_bring_up(world_.request());
  EXPECT_EQ(read_text(weights()), kWeights);
  EXPECT_EQ(read_text(world_.path / "a.secret"), "nobody knows\n");
}

}  // namespace
}  // namespace checkout
