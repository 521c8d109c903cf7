// Repositories that mean harm: by their configuration, which lies on a disk that anybody may have written to, and by
// their contents, which come from upstream. Whatever of it were executed would leave a file in the marks' folder;
// whatever were followed out of the checkout would change the victim's.
#include <gmock/gmock.h>

#include "checkout_world.h"

namespace checkout {
namespace {

using testing::HasSubstr;

class Hostile : public testing::TestWithParam<Transport> {
 protected:
  void SetUp() override {
    fs::create_directories(marks());
    write_file(victim() / "file", "the victim's\n");
  }
  fs::path marks() const { return world_.root / "marks"; }
  fs::path victim() const { return world_.root / "victim"; }
  std::string mark(const std::string& name) const { return "touch " + (marks() / name).string(); }
  Request request() const {
    Request request = world_.request();
    request.transport = GetParam();
    return request;
  }
  std::vector<std::string> executed() const {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(marks())) found.push_back(entry.path().filename());
    return found;
  }
  void expect_no_harm() const {
    EXPECT_THAT(executed(), testing::IsEmpty());
    EXPECT_EQ(World::must("cd " + victim().string() + " && find . -type f -exec cat {} +"), "the victim's\n");
  }
  // Upstream gets a commit whose tree is written by hand: `entries` as for git mktree, and no name is refused.
  void push_tree(const std::string& script) const {
    World::must("cd " + world_.author.string() + " && " + script + " && git push -qf " + world_.remote.string() +
                " HEAD:DL4Math");
  }
  // A commit on top with one more entry in the root, whatever its name.
  void push_entry(const std::string& mode, const std::string& name, const std::string& object) const {
    const std::string script = world_.root.string() + "/tree.py";
    write_file(script, R"(import subprocess, sys
mode, name, new = sys.argv[1:]
git = lambda *a, **k: subprocess.run(('git',) + a, check=True, stdout=subprocess.PIPE, **k).stdout
entries = []
for line in git('ls-tree', '-z', 'HEAD').split(b'\0')[:-1]:
    meta, path = line.split(b'\t', 1)
    m, _, oid = meta.decode().split()
    entries.append((m.lstrip('0').encode(), path, oid))
entries.append((mode.encode(), name.encode(), new))
entries.sort(key=lambda e: e[1] + (b'/' if e[0] == b'40000' else b''))
raw = b''.join(m + b' ' + n + b'\0' + bytes.fromhex(o) for m, n, o in entries)
tree = git('hash-object', '-t', 'tree', '-w', '--stdin', '--literally', input=raw).decode().strip()
commit = git('commit-tree', tree, '-p', 'HEAD', '-m', 'harm').decode().strip()
git('update-ref', 'refs/heads/harm', commit)
)");
    World::must("cd " + world_.author.string() + " && python3 " + script + " " + mode + " '" + name + "' " + object +
                " && git push -qf " + world_.remote.string() + " harm:DL4Math");
  }
  std::string hooks_tree() const {
    return World::trimmed(
        World::must("cd " + world_.author.string() + " && b=$(printf '#!/bin/sh\\n%s\\n' '" + mark("hook-from-tree") +
                    "' | git hash-object -w --stdin) && h=$(printf '100755 blob %s\\tpost-checkout\\n' $b"
                    " | git mktree) && printf '040000 tree %s\\thooks\\n' $h | git mktree"));
  }

  const World world_;
};

TEST_P(Hostile, ConfigurationOfTheRepositoryStartsNothing) {
  world_.commit_upstream(".gitattributes", "* filter=evil diff=evil merge=evil\n", "attributes");
  must_bring_up(request());
  const fs::path git = world_.path / ".git";
  const std::string config =
      "[core]\n\tfsmonitor = " + mark("fsmonitor") + "; false\n\tsshCommand = " + mark("ssh") +
      "\n\taskPass = " + mark("askpass") + "\n\teditor = " + mark("editor") + "\n\tpager = " + mark("pager") +
      "\n\tgitProxy = " + mark("proxy") + "\n\talternateRefsCommand = " + mark("alternates") +
      "\n[credential]\n\thelper = \"!" + mark("credential") + "\"\n[url \"ext::sh -c '" + mark("insteadof") +
      "'\"]\n\tinsteadOf = file://\n[protocol \"ext\"]\n\tallow = always\n[filter \"evil\"]\n\tclean = " +
      mark("clean") + "; cat\n\tsmudge = " + mark("smudge") + "; cat\n\tprocess = " + mark("process") +
      "\n\trequired = true\n[diff \"evil\"]\n\ttextconv = " + mark("textconv") + "\n\tcommand = " + mark("diff") +
      "\n[merge \"evil\"]\n\tdriver = " + mark("merge") +
      "\n[commit]\n\tgpgSign = true\n[gpg]\n\tprogram = " + (git / "hooks/post-checkout").string() +
      "\n[uploadpack]\n\tpackObjectsHook = " + mark("packobjects") +
      "\n[include]\n\tpath = more\n[includeIf \"gitdir:/**\"]\n\tpath = yetmore\n";
  write_file(git / "more", "[core]\n\tfsmonitor = " + mark("included") + "\n");
  write_file(git / "yetmore", "[core]\n\tsshCommand = " + mark("included-if") + "\n");
  write_file(git / "config", read_text(git / "config") + config +
                                 "[remote \"origin\"]\n\tuploadpack = " + mark("uploadpack") + "; git-upload-pack\n");
  for (const char* hook :
       {"applypatch-msg", "pre-commit", "post-commit", "post-checkout", "post-merge", "pre-rebase", "post-rewrite",
        "reference-transaction", "pre-auto-gc", "fsmonitor-watchman", "post-index-change"}) {
    write_file(git / "hooks" / hook, "#!/bin/sh\n" + mark(std::string("hook-") + hook) + "\n");
    fs::permissions(git / "hooks" / hook, fs::perms::owner_all);
  }
  const std::string tip = world_.commit_upstream("new.py", "new\n", "new");
  write_file(world_.path / "train.py", "print('edited')\n");
  Request all = request();
  all.deep = true;
  all.local_changes = LocalChanges::kSetAside;
  EXPECT_EQ(must_bring_up(all).commit, tip);
  // Once more with something to repair, so that the remote is asked for objects.
  fs::resize_file(git / "index", 10);
  fs::remove_all(git / "objects/pack");
  const Outcome repaired = must_bring_up(all);
  EXPECT_EQ(repaired.commit, tip);
  expect_no_harm();
}

TEST_P(Hostile, TreesThatNameTheGitFolderAreNotCheckedOut) {
  const std::string hooks = hooks_tree();
  const Outcome before = must_bring_up(request());
  // Each name once as an update and once as a clone, alternating between the transports to save time.
  std::vector<std::string> names = {".git", ".GIT", "git~1", "GIT~1", ".git ", ".git.", ".git::$INDEX_ALLOCATION",
                                    ".."};
  const std::size_t first = GetParam() == Transport::kGit ? 1 : 0;
  for (std::size_t i = first; i < names.size(); i += 2) {
    push_entry("40000", names[i], hooks);
    // An update stays where it is or says why it cannot go on; a fresh clone is refused.
    const auto update = bring_up(request());
    const auto code = update ? base::ErrorCode::kUnsupported : update.error().code;
    EXPECT_EQ(code, base::ErrorCode::kUnsupported) << names[i];
    EXPECT_EQ(world_.head(), before.commit) << names[i];
    Request fresh = request();
    fresh.path = world_.root / ("fresh-" + std::to_string(i)) / "project";
    fs::create_directories(fresh.path.parent_path());
    const auto clone = bring_up(fresh);
    ASSERT_FALSE(clone) << names[i];
    EXPECT_EQ(clone.error().code, base::ErrorCode::kUnsupported) << names[i] << clone.error().message();
    EXPECT_FALSE(fs::exists(fresh.path.parent_path() / "hooks")) << names[i];
    EXPECT_FALSE(fs::exists(world_.path / ".git/hooks/post-checkout")) << names[i];
  }
  expect_no_harm();
}

TEST_P(Hostile, LinksOutOfTheWorkTreeAreNotFollowed) {
  // Upstream first has a link that leads out, then a folder of the same name.
  push_tree("ln -s " + victim().string() + " data && git add -A && git commit -qm link");
  must_bring_up(request());
  ASSERT_TRUE(fs::is_symlink(world_.path / "data"));
  push_tree("rm data && mkdir data && echo harm > data/file && git add -A && git commit -qm folder");
  must_bring_up(request());
  EXPECT_EQ(read_text(world_.path / "data/file"), "harm\n");
  // And a link of the user's own in the place of a folder that upstream changes.
  fs::remove_all(world_.path / "data");
  fs::create_directory_symlink(victim(), world_.path / "data");
  push_tree("echo more > data/file && echo new > data/new && git add -A && git commit -qm more");
  (void)bring_up(request());
  Request aside = request();
  aside.local_changes = LocalChanges::kSetAside;
  (void)bring_up(aside);
  EXPECT_FALSE(fs::exists(victim() / "new"));
  expect_no_harm();
}

TEST_P(Hostile, LinkAndFolderOfOneNameInOneTreeLeadNowhere) {
  // A tree with two entries of one name: first the link, then a folder whose files would go through it.
  const std::string link = World::trimmed(World::must("cd " + world_.author.string() + " && printf '%s' " +
                                                      victim().string() + " | git hash-object -w --stdin"));
  push_entry("120000", "data", link);
  World::must("git -C " + world_.author.string() + " reset -q --hard harm 2>/dev/null; true");
  const std::string tree = World::trimmed(World::must(
      "cd " + world_.author.string() +
      " && b=$(echo harm | git hash-object -w --stdin) && printf '100644 blob %s\\tfile\\n' $b | git mktree"));
  push_entry("40000", "data", tree);
  (void)bring_up(request());
  expect_no_harm();
}

TEST_P(Hostile, IndexEntriesThroughALinkedFolderAreNotFollowed) {
  world_.commit_upstream("data/file", "ours\n", "data");
  must_bring_up(request());
  fs::remove_all(world_.path / "data");
  fs::create_directory_symlink(victim(), world_.path / "data");
  Request all = request();
  all.deep = true;
  (void)bring_up(all);
  fs::resize_file(world_.path / ".git/index", 20);
  (void)bring_up(all);
  all.local_changes = LocalChanges::kSetAside;
  (void)bring_up(all);
  expect_no_harm();
}

TEST_P(Hostile, SubmodulesCannotLeadOutOfTheWorkTreeOrStartPrograms) {
  must_bring_up(request());
  const std::string commit = world_.head();
  const auto with_submodule = [&](const std::string& name, const std::string& path, const std::string& url,
                                  const std::string& entry) {
    write_file(world_.author / ".gitmodules", "[submodule \"" + name + "\"]\n\tpath = " + path + "\n\turl = " + url +
                                                  "\n\tupdate = !" + mark("update") +
                                                  "\n\tfetchRecurseSubmodules = true\n");
    World::must("cd " + world_.author.string() +
                " && git add .gitmodules && git update-index --add --cacheinfo 160000," + commit + "," + entry +
                " && git commit -qm submodule && git push -qf " + world_.remote.string() + " HEAD:DL4Math");
    (void)bring_up(request());
  };
  with_submodule("../../../marks/evil", "one", "file://" + world_.remote.string(), "one");
  EXPECT_FALSE(fs::exists(marks() / "evil"));
  with_submodule("two", "two", "ext::sh -c '" + mark("ext") + "'", "two");
  with_submodule("three", "three", "-u./touch", "three");
  with_submodule("four", "../../victim", "file://" + world_.remote.string(), "four");
  with_submodule("five", ".git/hooks", "file://" + world_.remote.string(), "five");
  EXPECT_FALSE(fs::exists(world_.path / ".git/hooks/train.py"));
  with_submodule("six", "six", "ssh://-oProxyCommand=" + mark("ssh") + "/x", "six");
  expect_no_harm();
}

TEST_P(Hostile, VariablesThatLeadGitElsewhereAreNotFollowed) {
  const fs::path other = world_.root / "other";
  World::must("git clone -q " + world_.remote.string() + " " + other.string());
  write_file(world_.root / "shallow", world_.tip() + "\n");
  write_file(world_.root / "grafts", world_.tip() + "\n");
  const std::map<std::string, std::string> variables = {{"GIT_DIR", other / ".git"},
                                                        {"GIT_WORK_TREE", other},
                                                        {"GIT_COMMON_DIR", other / ".git"},
                                                        {"GIT_INDEX_FILE", other / ".git/index"},
                                                        {"GIT_OBJECT_DIRECTORY", other / ".git/objects"},
                                                        {"GIT_ALTERNATE_OBJECT_DIRECTORIES", other / ".git/objects"},
                                                        {"GIT_NAMESPACE", "elsewhere"},
                                                        {"GIT_SHALLOW_FILE", world_.root / "shallow"},
                                                        {"GIT_GRAFT_FILE", world_.root / "grafts"},
                                                        {"GIT_REPLACE_REF_BASE", "refs/heads/"},
                                                        {"GIT_TEMPLATE_DIR", other},
                                                        {"GIT_EXTERNAL_DIFF", mark("external-diff")},
                                                        {"GIT_ASKPASS", mark("askpass")},
                                                        {"GIT_PROXY_COMMAND", mark("proxy-command")},
                                                        {"GIT_QUARANTINE_PATH", other},
                                                        {"GIT_CEILING_DIRECTORIES", world_.root}};
  const std::string everything = "cd " + other.string() + " && find . -type f | sort | xargs sha1sum";
  const std::string before = World::must(everything);
  for (const auto& [name, value] : variables) ::setenv(name.c_str(), value.c_str(), 1);
  const auto cloned = bring_up(request());
  fs::remove_all(world_.path / ".git/objects/pack");
  fs::remove_all(world_.path / "train.py");
  Request all = request();
  all.deep = true;
  all.local_changes = LocalChanges::kSetAside;
  const auto repaired = bring_up(all);
  for (const auto& [name, value] : variables) ::unsetenv(name.c_str());
  ASSERT_TRUE(cloned) << cloned.error().message();
  ASSERT_TRUE(repaired) << repaired.error().message();
  EXPECT_EQ(World::must(everything), before);
  EXPECT_EQ(world_.head(), world_.tip());
  EXPECT_TRUE(world_.fsck_is_clean()) << world_.fsck();
  EXPECT_EQ(World::trimmed(world_.git("rev-list --count HEAD")), "3");
  expect_no_harm();
}

TEST_P(Hostile, ConfigurationDoesNotMoveTheWorkTree) {
  must_bring_up(request());
  world_.git("config core.worktree " + victim().string());
  const std::string tip = world_.commit_upstream("file", "upstream's\n", "file");
  (void)bring_up(request());
  Request all = request();
  all.deep = true;
  all.local_changes = LocalChanges::kSetAside;
  EXPECT_EQ(must_bring_up(all).commit, tip);
  EXPECT_EQ(read_text(world_.path / "file"), "upstream's\n");
  expect_no_harm();
}

TEST_P(Hostile, OddNamesArriveAndImpossibleOnesAreSaid) {
  world_.commit_upstream("new\nline \x01\xff \\\"'$(touch x)", "odd\n", "odd");
  world_.commit_upstream(std::string(255, 'n'), "long\n", "long");
  const std::string sound = world_.tip();
  EXPECT_EQ(must_bring_up(request()).commit, sound);
  EXPECT_EQ(read_text(world_.path / "new\nline \x01\xff \\\"'$(touch x)"), "odd\n");
  // The user's own, by such a name, is carried through a lost database.
  write_file(world_.path / "mine\nand mine", "mine\n");
  fs::remove_all(world_.path / ".git");
  EXPECT_EQ(must_bring_up(request()).commit, sound);
  EXPECT_EQ(read_text(world_.path / "mine\nand mine"), "mine\n");
  // A path that no file system takes.
  std::string object = World::trimmed(World::must("cd " + world_.author.string() + " && git rev-parse HEAD:train.py"));
  push_entry("100644", std::string(300, 'x'), object);
  const auto update = bring_up(request());
  EXPECT_TRUE(update.has_value() || !update.error().remedy.empty()) << (update ? "" : update.error().message());
  EXPECT_EQ(world_.head(), sound);
  EXPECT_EQ(world_.git("status --porcelain"), "?? \"mine\\nand mine\"\n");
  Request fresh = request();
  fresh.path = world_.root / "fresh" / "project";
  fs::create_directories(fresh.path.parent_path());
  const auto clone = bring_up(fresh);
  ASSERT_FALSE(clone);
  EXPECT_NE(clone.error().remedy, "") << clone.error().message();
  expect_no_harm();
}

INSTANTIATE_TEST_SUITE_P(Transports, Hostile, testing::Values(Transport::kLibgit2, Transport::kGit),
                         [](const auto& tried) { return tried.param == Transport::kGit ? "Git" : "Libgit2"; });

}  // namespace
}  // namespace checkout
