// Submodules: brought in at the commit that HEAD names, nested and by relative addresses; without the remote the
// checkout trains as it is.
#include <gmock/gmock.h>

#include "checkout_world.h"
#include "launcher/checkout/submodules.h"

namespace checkout {
namespace {

using testing::HasSubstr;

class Submodules : public testing::Test {
 protected:
  // project -> libs/outer (by a relative address) -> inner
  void SetUp() override {
    const std::string root = world_.root.string();
    World::must(
        "cd " + root +
        " && for n in inner outer; do git init -q --bare -b main $n.git && git init -q -b main $n-work; done && "
        "cd inner-work && echo inner > inner.py && git add . && git commit -qm inner && git push -q ../inner.git "
        "main && cd ../outer-work && echo outer > outer.py && git submodule add -q ../inner.git inner 2>/dev/null; "
        "true");
    World::must("cd " + root + "/outer-work && git submodule add -q -f " + root +
                "/inner.git inner && git config -f .gitmodules submodule.inner.url ../inner.git && git add -A && git "
                "commit -qm outer && git push -q ../outer.git main");
    World::must(
        "cd " + world_.author.string() + " && git submodule add -q " + root +
        "/outer.git libs/outer && git config -f .gitmodules submodule.libs/outer.url ../outer.git && git add -A && "
        "git commit -qm submodules && git push -q " +
        world_.remote.string() + " HEAD:DL4Math");
  }
  std::string outer() const { return read_text(world_.path / "libs/outer/outer.py"); }
  std::string inner() const { return read_text(world_.path / "libs/outer/inner/inner.py"); }

  const World world_;
};

TEST_F(Submodules, NestedAndRelativeOnesAreBroughtIn) {
  const Outcome outcome = must_bring_up(world_.request());
  EXPECT_EQ(outer(), "outer\n") << testing::PrintToString(outcome.warnings);
  EXPECT_EQ(inner(), "inner\n") << testing::PrintToString(outcome.warnings);
  EXPECT_EQ(world_.git("status --porcelain"), "");
}

TEST_F(Submodules, FollowTheCommitThatHeadNames) {
  must_bring_up(world_.request());
  World::must(
      "cd " + world_.root.string() + "/outer-work && echo newer > outer.py && git commit -qam newer && git push -q " +
      "../outer.git main && cd " + world_.author.string() + "/libs/outer && git pull -q origin main 2>/dev/null; cd " +
      world_.author.string() + "/libs/outer && git fetch -q " + world_.root.string() +
      "/outer.git main && git checkout -q FETCH_HEAD && cd "
      "../.. && git commit -qam moved && git push -q " +
      world_.remote.string() + " HEAD:DL4Math");
  must_bring_up(world_.request());
  EXPECT_EQ(outer(), "newer\n");
  EXPECT_EQ(inner(), "inner\n");
}

TEST_F(Submodules, LocalWorkInOneStays) {
  must_bring_up(world_.request());
  write_file(world_.path / "libs/outer/outer.py", "mine\n");
  must_bring_up(world_.request());
  EXPECT_EQ(outer(), "mine\n");
}

TEST_F(Submodules, OfflineTheyAreUsedAsTheyAre) {
  must_bring_up(world_.request());
  for (const char* name : {"remote.git", "outer.git", "inner.git"})
    fs::rename(world_.root / name, world_.root / (std::string(name) + ".gone"));
  EXPECT_EQ(must_bring_up(world_.request()).commit, world_.tip());
  EXPECT_EQ(outer(), "outer\n");
  EXPECT_EQ(inner(), "inner\n");
}

TEST_F(Submodules, OneThatCannotBeHadIsAWarning) {
  fs::rename(world_.root / "outer.git", world_.root / "outer.gone");
  const Outcome outcome = must_bring_up(world_.request());
  EXPECT_EQ(outcome.commit, world_.tip());
  EXPECT_THAT(testing::PrintToString(outcome.warnings), HasSubstr("libs/outer cannot be brought in"));
}

TEST(SubmoduleAddress, IsResolvedAgainstItsProjects) {
  const auto resolved = resolve_submodule_url;
  EXPECT_EQ(resolved("https://host/me/project.git", "../other.git"), "https://host/me/other.git");
  EXPECT_EQ(resolved("https://host/me/project.git/", "../../you/other.git"), "https://host/you/other.git");
  EXPECT_EQ(resolved("file:///srv/project.git", "../other.git"), "file:///srv/other.git");
  EXPECT_EQ(resolved("/srv/project.git", "./inner.git"), "/srv/project.git/inner.git");
  EXPECT_EQ(resolved("git@host:me/project.git", "../other.git"), "git@host:me/other.git");
  EXPECT_EQ(resolved("git@host:project.git", "../other.git"), "git@host:other.git");
  EXPECT_EQ(resolved("https://host/project.git", "ssh://else/where"), "ssh://else/where");
  // It may ask for more than there is, and does not get another host.
  EXPECT_EQ(resolved("https://host/x", "../../../../evil/x"), "https://host/../../evil/x");
}

}  // namespace
}  // namespace checkout
