#include "launcher/checkout/checkout.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <thread>

#include "checkout_world.h"

namespace checkout {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

TEST(Checkout, IsClonedWhenThereIsNone) {
  World world;
  const Outcome outcome = must_bring_up(world.request());
  EXPECT_TRUE(outcome.cloned);
  EXPECT_EQ(outcome.commit, world.tip());
  EXPECT_EQ(outcome.branch, "DL4Math");
  EXPECT_FALSE(outcome.local_changes);
  EXPECT_EQ(read_text(world.path / "train.py"), "print('step')\n");
  EXPECT_TRUE(world.fsck_is_clean()) << world.fsck();
  EXPECT_THAT(world.git("status --porcelain"), IsEmpty());
  EXPECT_THAT(world.git("rev-parse --abbrev-ref @{u}"), HasSubstr("origin/DL4Math"));
}

TEST(Checkout, OfAnEmptyFolderIsCloned) {
  World world;
  fs::create_directories(world.path);
  EXPECT_TRUE(must_bring_up(world.request()).cloned);
}

TEST(Checkout, SecondBootChangesNothing) {
  World world;
  must_bring_up(world.request());
  const std::string before = World::must("cd " + world.path.string() + " && find . -type f | sort | xargs md5sum");
  const Outcome outcome = must_bring_up(world.request());
  EXPECT_FALSE(outcome.cloned);
  EXPECT_FALSE(outcome.updated);
  EXPECT_TRUE(outcome.upstream_reached);
  EXPECT_THAT(outcome.done, IsEmpty()) << all_of(outcome);
  EXPECT_EQ(before, World::must("cd " + world.path.string() + " && find . -type f | sort | xargs md5sum"));
}

TEST(Checkout, FollowsUpstreamAndKeepsEditsThatDoNotCollide) {
  World world;
  must_bring_up(world.request());
  write_file(world.path / "train.py", "print('mine')\n");
  write_file(world.path / "notes.txt", "mine too\n");
  const std::string tip = world.commit_upstream("README.md", "# newer\n", "fourth");
  const Outcome outcome = must_bring_up(world.request());
  EXPECT_TRUE(outcome.updated);
  EXPECT_TRUE(outcome.local_changes);
  EXPECT_EQ(outcome.commit, tip);
  EXPECT_EQ(read_text(world.path / "README.md"), "# newer\n");
  EXPECT_EQ(read_text(world.path / "train.py"), "print('mine')\n");
  EXPECT_EQ(read_text(world.path / "notes.txt"), "mine too\n");
  EXPECT_EQ(world.git("status --porcelain"), " M train.py\n?? notes.txt\n");
  EXPECT_TRUE(world.fsck_is_clean());
}

// git compares whole seconds, and takes a file for unchanged whose index was written in a later one.
TEST(Checkout, EditInTheSecondOfTheCheckoutStaysVisibleThroughAnUpdate) {
  const auto second_of = [](const fs::path& path) {
    return std::chrono::floor<std::chrono::seconds>(fs::last_write_time(path));
  };
  std::optional<World> world;
  bool in_one_second = false;
  for (int tries = 0; tries < 20 && !in_one_second; ++tries) {
    world.emplace();
    must_bring_up(world->request());
    const fs::path file = world->path / "train.py";
    const fs::path index = world->path / ".git/index";
    const auto checked_out = second_of(file);
    // As where the file is one of many.
    fs::last_write_time(index, fs::last_write_time(file) + std::chrono::milliseconds(10));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    write_file(file, "print('mine')\n");
    in_one_second = second_of(file) == checked_out && second_of(index) == checked_out;
  }
  ASSERT_TRUE(in_one_second);
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  world->commit_upstream("README.md", "# newer\n", "fourth");
  EXPECT_TRUE(must_bring_up(world->request()).updated);
  EXPECT_EQ(world->git("status --porcelain"), " M train.py\n");
}

TEST(Checkout, StaysWhereLocalEditsCollide) {
  World world;
  must_bring_up(world.request());
  const std::string before = world.head();
  write_file(world.path / "train.py", "print('mine')\n");
  world.commit_upstream("train.py", "print('theirs')\n", "fourth");
  const Outcome outcome = must_bring_up(world.request());
  EXPECT_FALSE(outcome.updated);
  EXPECT_EQ(outcome.commit, before);
  EXPECT_EQ(outcome.behind, 1);
  EXPECT_EQ(read_text(world.path / "train.py"), "print('mine')\n");
  ASSERT_FALSE(outcome.warnings.empty());
  EXPECT_THAT(outcome.warnings.back(), HasSubstr("train.py"));
}

TEST(Checkout, UntrackedFileInTheWayOfANewOneStays) {
  World world;
  must_bring_up(world.request());
  write_file(world.path / "new.py", "mine\n");
  world.commit_upstream("new.py", "theirs\n", "fourth");
  const Outcome outcome = must_bring_up(world.request());
  EXPECT_FALSE(outcome.updated);
  EXPECT_EQ(read_text(world.path / "new.py"), "mine\n");
}

// Git's trees take any name; file systems do not. Training goes on with what is here until somebody has shortened it.
TEST(Checkout, StaysWhereUpstreamHasANameThatIsTooLong) {
  World world;
  must_bring_up(world.request());
  const std::string before = world.head();
  const std::string at = "git -C " + world.author.string() + " ";
  const std::string name = "deep/" + std::string(300, 'n');
  World::must(at + "update-index --add --cacheinfo 100644,$(" + at + "rev-parse HEAD:train.py)," + name + " && " + at +
              "commit -qm long && " + at + "push -q " + world.remote.string() + " HEAD:DL4Math");
  for (int boot = 1; boot <= 2; ++boot) {
    const Outcome outcome = must_bring_up(world.request());
    EXPECT_EQ(outcome.commit, before);
    ASSERT_FALSE(outcome.warnings.empty());
    EXPECT_THAT(outcome.warnings.back(), HasSubstr("Shorten it upstream"));
    EXPECT_TRUE(outcome.done.empty()) << all_of(outcome);
  }
  World::must(at + "rm -q --cached " + name);
  const std::string tip = world.commit_upstream("train.py", "print('short')\n", "short");
  EXPECT_EQ(must_bring_up(world.request()).commit, tip);
}

std::string rescues(const World& world) {
  return world.git("for-each-ref --format='%(refname)' refs/podlaunch/rescue");
}

// Two caches beside the checkout; the branch's objects lie in the first one alone.
class Borrowing : public testing::Test {
 protected:
  void SetUp() override {
    World::must("git clone -q --bare " + world_.remote.string() + " " + cache().string() + " && git init -q --bare " +
                other().string() + " && git clone -q --reference " + cache().string() + " file://" +
                world_.remote.string() + " " + world_.path.string());
    write_file(alternates(), cache().string() + "/objects\n" + other().string() + "/objects\n");
  }
  fs::path cache() const { return world_.root / "cache.git"; }
  fs::path other() const { return world_.root / "other.git"; }
  fs::path alternates() const { return world_.path / ".git/objects/info/alternates"; }

  const World world_;
};

TEST_F(Borrowing, IsTold) {
  const auto survey = checkout::survey(world_.path, Depth::kQuick);
  ASSERT_TRUE(survey.has_value());
  EXPECT_TRUE(survey->sound()) << to_json(*survey);
  EXPECT_THAT(to_json(*survey), HasSubstr("Objects are borrowed from " + cache().string()));
}

TEST_F(Borrowing, FromAFolderThatIsGoneGoesOnUntilTheRemoteHasAnswered) {
  fs::rename(cache(), world_.root / "away");
  world_.go_offline();
  EXPECT_FALSE(bring_up(world_.request()));
  EXPECT_THAT(read_text(alternates()), HasSubstr(cache().string()));
  fs::rename(world_.root / "away", cache());
  must_bring_up(world_.request());
  EXPECT_TRUE(world_.fsck_is_clean()) << world_.fsck();
  fs::remove_all(cache());
  world_.go_online();
  EXPECT_EQ(must_bring_up(world_.request()).commit, world_.tip());
  EXPECT_TRUE(world_.fsck_is_clean()) << world_.fsck();
  EXPECT_EQ(read_text(alternates()), other().string() + "/objects\n");
}

// The same work, gone on with and set aside again and again.
TEST(Rescues, OfOneLineOfWorkAreOneReference) {
  World world;
  Request request = world.request();
  request.local_changes = LocalChanges::kSetAside;
  must_bring_up(request);
  std::string newest;
  for (int boot = 1; boot <= 4; ++boot) {
    if (!newest.empty()) world.git("reset -q --hard " + newest);
    write_file(world.path / "mine.py", "print(" + std::to_string(boot) + ")\n");
    world.git("add -A");
    world.git("commit -qm mine");
    newest = world.head();
    world.commit_upstream("train.py", "print('upstream " + std::to_string(boot) + "')\n", "more");
    must_bring_up(request);
    EXPECT_EQ(rescues(world), "refs/podlaunch/rescue/commits-of-DL4Math-" + newest.substr(0, 12) + "\n");
  }
}

TEST(Checkout, SameLocalChangesOnEachNewCommitGetOneRescueReference) {
  const World world;
  must_bring_up(world.request());
  Request request = world.request();
  request.local_changes = LocalChanges::kSetAside;
  for (int i = 0; i < 4; ++i) {
    world.commit_upstream("new.py", "print(" + std::to_string(i) + ")\n", "more");
    write_file(world.path / "train.py", "print('mine')\n");
    write_file(world.path / "notes/mine", "mine\n");
    fs::remove(world.path / "README.md");
    must_bring_up(request);
    EXPECT_EQ(read_text(world.path / "train.py"), "print('step')\n");
  }
  std::istringstream names(rescues(world));
  std::string name;
  std::getline(names, name);
  EXPECT_EQ(world.git("show " + name + ":train.py"), "print('mine')\n");
  EXPECT_EQ(world.git("show " + name + ":notes/mine"), "mine\n");
  EXPECT_FALSE(std::getline(names, name)) << name;
  write_file(world.path / "train.py", "print('mine, too')\n");
  must_bring_up(request);
  EXPECT_EQ(World::must("git -C " + world.path.string() + " for-each-ref refs/podlaunch/rescue | wc -l"), "2\n");
}

TEST(Rescues, GoOnlyWhenAllTheyLeadToIsLedToByWhatTheUserKeeps) {
  World world;
  Request request = world.request();
  request.local_changes = LocalChanges::kSetAside;
  must_bring_up(request);
  for (const std::string name : {"one", "two"}) {
    write_file(world.path / (name + ".py"), "print('" + name + "')\n");
    must_bring_up(request);
  }
  world.git("update-ref refs/podlaunch/rescue/pushed $(git -C " + world.path.string() +
            " commit-tree -p HEAD -m pushed HEAD^{tree})");
  world.git("update-ref refs/remotes/origin/elsewhere refs/podlaunch/rescue/pushed");
  world.git("update-ref refs/podlaunch/rescue/pushed-twice refs/podlaunch/rescue/pushed");
  world.git("update-ref refs/podlaunch/rescue/known HEAD~1");
  const std::string all = rescues(world);
  request.deep = true;
  must_bring_up(request);
  EXPECT_EQ(rescues(world).find("known"), std::string::npos);
  // Of the local changes the second has both files.
  EXPECT_EQ(std::ranges::count(rescues(world), '\n'), 2) << all << rescues(world);
  // The user takes them over: the same files, on a branch.
  world.git("checkout -qb kept");
  write_file(world.path / "one.py", "print('one')\n");
  world.git("add -A");
  world.git("commit -qm one");
  world.git("checkout -q DL4Math");
  must_bring_up(request);
  EXPECT_EQ(std::ranges::count(rescues(world), '\n'), 1) << rescues(world);
  EXPECT_NE(world.git("log --all --format= --name-only").find("two.py"), std::string::npos);
  EXPECT_NE(rescues(world).find("pushed"), std::string::npos);
}

// Entries of the shared file that are replaced, deleted and joined by others, a conflict, and each mark that git has.
TEST(SplitIndex, IsWrittenAsOneFileThatSaysTheSame) {
  World world;
  for (int i = 0; i < 200; ++i) write_file(world.author / "many" / std::to_string(i), std::to_string(i) + "\n");
  world.commit_upstream("train.py", "print('many')\n", "many");
  must_bring_up(world.request());
  world.git("checkout -qb theirs && git -C " + world.path.string() + " rm -q many/150");
  write_file(world.path / "README.md", "theirs\n");
  world.git("commit -qam theirs");
  world.git("checkout -q DL4Math");
  write_file(world.path / "README.md", "ours\n");
  world.git("commit -qam ours");
  (void)shell("git -C " + world.path.string() + " merge theirs");
  world.git("update-index --split-index");
  write_file(world.path / "many/7", "another\n");
  write_file(world.path / "added.py", "new\n");
  write_file(world.path / "intended.py", "later\n");
  world.git("add many/7 added.py");
  world.git("add -N intended.py");
  world.git("rm -q --cached many/64 many/65 many/199");
  world.git("update-index --assume-unchanged many/8");
  world.git("update-index --skip-worktree many/9");
  ASSERT_TRUE(fs::exists(world.path / ".git/MERGE_HEAD"));
  ASSERT_NE(world.git("rev-parse --shared-index-path"), "");
  // Less the flag that only says where an entry was read from.
  const std::string entries =
      "ls-files -s -t -v --debug | sed -E 's/flags: 8000000$/flags: 0/; s/flags: 800800/flags: 800/; s/flags: "
      "48/flags: 40/'";
  const std::string before = world.git(entries);
  const std::string status = world.git("status --porcelain");
  world.commit_upstream("other.py", "more\n", "more");
  const Outcome outcome = must_bring_up(world.request());
  EXPECT_EQ(world.git(entries), before);
  EXPECT_EQ(world.git("status --porcelain"), status);
  EXPECT_EQ(world.git("rev-parse --shared-index-path"), "");
  EXPECT_TRUE(must_bring_up(world.request()).done.empty());
}

TEST(SplitIndex, DoesNotKeepAnUpdateAway) {
  World world;
  must_bring_up(world.request());
  world.git("config core.splitIndex true");
  world.git("update-index --split-index");
  write_file(world.path / "added.py", "new\n");
  world.git("add added.py");
  const std::string tip = world.commit_upstream("train.py", "print('theirs')\n", "fourth");
  EXPECT_EQ(must_bring_up(world.request()).commit, tip);
  EXPECT_TRUE(must_bring_up(world.request()).done.empty());
  EXPECT_EQ(world.git("status --porcelain"), "A  added.py\n");
}

TEST(Checkout, SetAsidePutsLocalChangesUnderARescueReference) {
  World world;
  must_bring_up(world.request());
  write_file(world.path / "train.py", "print('mine')\n");
  write_file(world.path / "notes.txt", "untracked of mine\n");
  const std::string tip = world.commit_upstream("train.py", "print('theirs')\n", "fourth");
  Request request = world.request();
  request.local_changes = LocalChanges::kSetAside;
  const Outcome outcome = must_bring_up(request);
  EXPECT_EQ(outcome.commit, tip);
  EXPECT_EQ(read_text(world.path / "train.py"), "print('theirs')\n");
  ASSERT_FALSE(outcome.rescued.empty());
  const std::string ref = outcome.rescued.front().where;
  EXPECT_EQ(world.git("show " + ref + ":train.py"), "print('mine')\n");
  EXPECT_EQ(world.git("show " + ref + ":notes.txt"), "untracked of mine\n");
  EXPECT_TRUE(world.fsck_is_clean());
}

TEST(Checkout, LocalCommitsStayAheadOfUpstream) {
  World world;
  must_bring_up(world.request());
  write_file(world.path / "train.py", "print('mine')\n");
  world.git("commit -qam mine");
  const std::string mine = world.head();
  const Outcome ahead = must_bring_up(world.request());
  EXPECT_EQ(ahead.commit, mine);
  EXPECT_EQ(ahead.ahead, 1);
  world.commit_upstream("README.md", "# newer\n", "fourth");
  const Outcome diverged = must_bring_up(world.request());
  EXPECT_EQ(diverged.commit, mine);
  EXPECT_EQ(diverged.ahead, 1);
  EXPECT_EQ(diverged.behind, 1);
}

TEST(Checkout, UpstreamRewrittenIsFollowedWhenNoCommitIsLocal) {
  World world;
  must_bring_up(world.request());
  const std::string old = world.head();
  World::must("git -C " + world.author.string() + " reset -q --hard HEAD~1");
  write_file(world.author / "other.py", "other\n");
  const std::string at = "git -C " + world.author.string() + " ";
  World::must(at + "add -A && " + at + "commit -qm other && " + at + "push -qf " + world.remote.string() +
              " HEAD:DL4Math");
  const Outcome outcome = must_bring_up(world.request());
  EXPECT_EQ(outcome.commit, world.tip());
  EXPECT_TRUE(fs::exists(world.path / "other.py"));
  EXPECT_FALSE(fs::exists(world.path / "README.md"));
  EXPECT_THAT(world.git("for-each-ref --format='%(objectname)' refs/podlaunch"), HasSubstr(old));
}

TEST(Checkout, OfflineHealthyCheckoutIsUsedAsItIs) {
  World world;
  must_bring_up(world.request());
  world.go_offline();
  const Outcome outcome = must_bring_up(world.request());
  EXPECT_EQ(outcome.commit, world.head());
  EXPECT_FALSE(outcome.updated);
  EXPECT_FALSE(outcome.warnings.empty());
}

TEST(Checkout, OfflineWithoutCheckoutIsAnError) {
  World world;
  world.go_offline();
  EXPECT_FALSE(bring_up(world.request()).has_value());
  EXPECT_FALSE(fs::exists(world.path));
}

TEST(Checkout, DirectoryThatIsNoRepositoryGoesToQuarantineAndItsFilesComeBack) {
  World world;
  write_file(world.path / "train.py", "something else entirely\n");
  write_file(world.path / "outputs/checkpoint.bin", "weights\n");
  const Outcome outcome = must_bring_up(world.request());
  EXPECT_TRUE(outcome.cloned);
  EXPECT_EQ(read_text(world.path / "train.py"), "print('step')\n");
  EXPECT_EQ(read_text(world.path / "outputs/checkpoint.bin"), "weights\n");
  EXPECT_TRUE(World::holds(world.quarantine(), "something else entirely"));
  EXPECT_FALSE(must_bring_up(world.request()).cloned);
}

TEST(Checkout, NothingIsMovedWhileTheRemoteIsAway) {
  World world;
  write_file(world.path / "precious.txt", "mine\n");
  world.go_offline();
  EXPECT_FALSE(bring_up(world.request()).has_value());
  EXPECT_EQ(read_text(world.path / "precious.txt"), "mine\n");
}

TEST(Checkout, WorkTreeThatLostItsGitIsAdopted) {
  World world;
  must_bring_up(world.request());
  write_file(world.path / "train.py", "print('mine')\n");
  write_file(world.path / "notes.txt", "mine\n");
  fs::remove_all(world.path / ".git");
  world.commit_upstream("README.md", "# newer\n", "fourth");
  const Outcome outcome = must_bring_up(world.request());
  EXPECT_FALSE(outcome.cloned);
  EXPECT_TRUE(outcome.repaired);
  EXPECT_EQ(outcome.commit, world.tip());
  EXPECT_EQ(world.git("status --porcelain"), " M train.py\n?? notes.txt\n");
  EXPECT_TRUE(world.fsck_is_clean());
}

struct Damage {
  std::string name;
  std::string command;  // runs in the checkout
};
void PrintTo(const Damage& damage, std::ostream* out) {
  *out << damage.name;
}

class CheckoutDamaged : public testing::TestWithParam<Damage> {};

TEST_P(CheckoutDamaged, IsRepairedInPlace) {
  World world;
  must_bring_up(world.request());
  write_file(world.path / "local.py", "a local commit\n");
  world.git("add -A");
  world.git("commit -qm local");
  const std::string mine = world.head();
  write_file(world.path / "train.py", "a dirty file\n");
  write_file(world.path / "notes.txt", "an untracked file\n");
  World::must("cd " + world.path.string() + " && " + GetParam().command);
  const Outcome outcome = must_bring_up(world.request());
  EXPECT_FALSE(outcome.cloned) << all_of(outcome);
  EXPECT_EQ(outcome.commit, mine) << all_of(outcome);
  EXPECT_EQ(read_text(world.path / "local.py"), "a local commit\n");
  EXPECT_EQ(read_text(world.path / "train.py"), "a dirty file\n");
  EXPECT_EQ(read_text(world.path / "notes.txt"), "an untracked file\n");
  EXPECT_EQ(world.git("status --porcelain"), " M train.py\n?? notes.txt\n");
  EXPECT_TRUE(world.fsck_is_clean()) << world.fsck();
  const Outcome again = must_bring_up(world.request());
  EXPECT_THAT(again.done, IsEmpty()) << all_of(again);
}

INSTANTIATE_TEST_SUITE_P(
    FirstSet, CheckoutDamaged,
    testing::Values(Damage{"StaleIndexLock", "touch .git/index.lock"},
                    Damage{"EmptyBranchRef", ": > .git/refs/heads/DL4Math"},
                    Damage{"ZeroedIndex", "truncate -s 0 .git/index && truncate -s 400 .git/index"},
                    Damage{"MissingHead", "rm .git/HEAD"}, Damage{"EmptyConfig", ": > .git/config"},
                    Damage{"MissingRefs", "rm -r .git/refs"},
                    Damage{"EmptyLocalBlob",
                           "chmod -R u+w .git/objects; b=$(git rev-parse HEAD:local.py); : > "
                           ".git/objects/$(echo $b | cut -c1-2)/$(echo $b | cut -c3-)"},
                    Damage{"TruncatedPack", "p=$(ls .git/objects/pack/*.pack); chmod u+w $p; truncate -s -30 $p"},
                    Damage{"MissingPackIndex", "rm -f .git/objects/pack/*.idx"}),
    [](const auto& test) { return test.param.name; });

TEST(Checkout, ForeignRepositoryMakesRoom) {
  World world;
  World::must("git init -q " + world.path.string());
  write_file(world.path / "other.txt", "another project\n");
  world.git("add -A");
  world.git("commit -qm other");
  world.git("remote add origin https://example.org/other.git");
  const Outcome outcome = must_bring_up(world.request());
  EXPECT_TRUE(outcome.cloned);
  EXPECT_TRUE(World::holds(world.quarantine(), "another project") || fs::exists(world.path / "other.txt"));
}

TEST(Checkout, RefusesWhatCannotBeUsed) {
  World world;
  const auto code = [&](auto change) {
    Request request = world.request();
    change(request);
    const auto outcome = bring_up(request);
    return outcome ? std::string("accepted") : std::string(base::name(outcome.error().code));
  };
  const std::string refused(base::name(base::ErrorCode::kInvalidInput));
  EXPECT_EQ(code([](Request& r) { r.path = "/"; }), refused);
  EXPECT_EQ(code([&](Request& r) { r.path = world.home; }), refused);
  EXPECT_EQ(code([](Request& r) { r.path = "relative"; }), refused);
  EXPECT_EQ(code([](Request& r) { r.path = "/proc"; }), refused);
  EXPECT_EQ(code([](Request& r) { r.url = "https://me:secret@example.org/x.git"; }), refused);
  EXPECT_EQ(code([](Request& r) { r.ref = "--upload-pack=touch"; }), refused);
  EXPECT_EQ(code([](Request& r) { r.ref = "a b"; }), refused);
  EXPECT_EQ(code([](Request& r) { r.ref = "no-such-branch"; }), std::string(base::name(base::ErrorCode::kNotFound)));
}

// What is no checkout of its own is told apart from damage, and nothing in it is touched.
class NotACheckoutOfItsOwn : public testing::Test {
 protected:
  std::string everything() const {
    return World::must("cd " + world_.root.string() +
                       " && find . -path ./disk/.podlaunch -prune -o -type f -print | sort | xargs -d '\\n' sha1sum");
  }
  void expect_told(FindingKind kind, base::ErrorCode code) const {
    const std::string before = everything();
    for (const Depth depth : {Depth::kQuick, Depth::kFull}) {
      const auto looked = survey(world_.path, depth);
      ASSERT_TRUE(looked);
      EXPECT_TRUE(looked->has(kind));
      EXPECT_EQ(looked->findings.size(), 1U) << to_json(*looked);
      EXPECT_FALSE(looked->sound());
      EXPECT_FALSE(looked->wants_treatment());
    }
    const auto repaired = repair(world_.request());
    const auto booted = bring_up(world_.request());
    ASSERT_FALSE(repaired);
    ASSERT_FALSE(booted);
    EXPECT_EQ(repaired.error().code, code) << repaired.error().message();
    EXPECT_EQ(booted.error().code, code) << booted.error().message();
    EXPECT_NE(repaired.error().remedy, "");
    EXPECT_EQ(everything(), before);
  }

  const World world_;
};

TEST_F(NotACheckoutOfItsOwn, WorkTreeOfAnotherRepository) {
  World::must("git -C " + world_.author.string() + " worktree add -q " + world_.path.string() + " -b other");
  expect_told(FindingKind::kLinkedWorkTree, base::ErrorCode::kInvalidInput);
}

TEST_F(NotACheckoutOfItsOwn, BareRepository) {
  World::must("git clone -q --bare " + world_.remote.string() + " " + world_.path.string());
  expect_told(FindingKind::kBareRepository, base::ErrorCode::kInvalidInput);
}

TEST_F(NotACheckoutOfItsOwn, LongerIds) {
  World::must("git init -q --object-format=sha256 " + world_.path.string() + " && cd " + world_.path.string() +
              " && echo a > a && git add a && git commit -qm one && echo b > a && git commit -qam two");
  expect_told(FindingKind::kUnsupportedExtension, base::ErrorCode::kUnsupported);
}

// As git 2.45 and later make it; the git that is here cannot.
TEST_F(NotACheckoutOfItsOwn, ReferencesInATable) {
  must_bring_up(world_.request());
  world_.git("config core.repositoryformatversion 1");
  world_.git("config extensions.refstorage reftable");
  fs::remove_all(world_.path / ".git/refs");
  write_file(world_.path / ".git/refs/heads", "this repository uses the reftable format\n");
  write_file(world_.path / ".git/reftable/tables.list", "");
  write_file(world_.path / ".git/HEAD", "ref: refs/heads/.invalid\n");
  expect_told(FindingKind::kUnsupportedExtension, base::ErrorCode::kUnsupported);
}

TEST(Checkout, OfWhichARemotePromisesObjectsIsSoundWithoutThem) {
  World world;
  World::must("git -C " + world.remote.string() +
              " config uploadpack.allowFilter true && git clone -q "
              "--filter=blob:none file://" +
              world.remote.string() + " " + world.path.string());
  const auto looked = survey(world.path, Depth::kDeep);
  ASSERT_TRUE(looked);
  EXPECT_TRUE(looked->has(FindingKind::kPartialClone));
  EXPECT_TRUE(looked->sound()) << to_json(*looked);
}

TEST(Checkout, RepairWithoutAnAddressSaysSo) {
  World world;
  write_file(world.path / "mine", "mine\n");
  Request request = world.request();
  request.url.clear();
  const auto repaired = repair(request);
  ASSERT_FALSE(repaired);
  EXPECT_THAT(repaired.error().message(), HasSubstr("--repo"));
  EXPECT_EQ(read_text(world.path / "mine"), "mine\n");
}

TEST(Checkout, HonoursInsteadOf) {
  World world;
  std::ofstream(world.home / ".gitconfig", std::ios::app)
      << "[url \"file://" << world.root.string() << "/\"]\n\tinsteadOf = https://git.example.org/\n";
  Request request = world.request();
  request.url = "https://git.example.org/remote.git";
  EXPECT_TRUE(must_bring_up(request).cloned);
  EXPECT_THAT(world.git("config remote.origin.url"), HasSubstr("https://git.example.org/remote.git"));
  EXPECT_TRUE(must_bring_up(request).upstream_reached);
}

TEST(Checkout, OutcomeSurvivesJson) {
  World world;
  const Outcome outcome = must_bring_up(world.request());
  const auto read = outcome_from_json(to_json(base::Result<Outcome>(outcome)));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(all_of(*read), all_of(outcome));
}

}  // namespace
}  // namespace checkout
