// Every damage of the catalogue, on every form of storage: one boot later git finds nothing wrong, every mark is found,
// and a second boot changes nothing. The same for two damages at once, and without a network: then either training can
// run, or nothing is lost until the network is back.
//
// The normal run takes each damage on one form of storage, and a seeded sample of the others; PODLAUNCH_SLOW_TESTS=1
// takes all. PODLAUNCH_TEST_DAMAGE=<id> takes one, PODLAUNCH_TEST_SEED another sample.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "damage.h"
#include "launcher/checkout/objects/sha1.h"
#include "lived_in.h"

namespace checkout {
namespace {

std::string describe(const base::Result<Outcome>& outcome) {
  return outcome ? all_of(*outcome) : outcome.error().message();
}

bool found(const Outcome& outcome, const std::string& kind) {
  for (const Finding& finding : outcome.findings) {
    if (name(finding.kind) == kind) return true;
  }
  return false;
}

std::mt19937 seeded() {
  const char* seed = std::getenv("PODLAUNCH_TEST_SEED");
  return std::mt19937(seed != nullptr ? static_cast<unsigned>(std::atoi(seed)) : 1U);
}

Request deep_request(const LivedIn& world) {
  Request request = world.request();
  request.deep = true;
  return request;
}

// The promises: sound, nothing lost but what the damage itself took, and steady.
base::Result<Outcome> expect_repaired(const LivedIn& world, const std::set<std::string>& destroyed) {
  auto outcome = bring_up(deep_request(world));
  EXPECT_TRUE(outcome.has_value()) << describe(outcome);
  if (!outcome) return outcome;
  EXPECT_FALSE(outcome->cloned) << describe(outcome);
  EXPECT_TRUE(world.fsck_is_clean()) << world.fsck() << describe(outcome);
  for (const std::string& mark : world.lost()) {
    EXPECT_TRUE(destroyed.contains(mark)) << mark << " is lost\n" << describe(outcome);
  }
  const auto again = bring_up(deep_request(world));
  EXPECT_TRUE(again && again->done.empty()) << "the second boot did something: " << describe(again);
  return outcome;
}

// Each form of storage in a few parts, so that no test takes long.
constexpr int kParts = 4;
struct Part {
  Storage storage;
  int number;
};
void PrintTo(const Part& part, std::ostream* out) {
  *out << name_of(part.storage) << part.number;
}

std::vector<Part> all_parts() {
  std::vector<Part> parts;
  for (const Storage storage : {Storage::kLoose, Storage::kPacked, Storage::kMixed}) {
    for (int number = 0; number < kParts; ++number) parts.push_back({storage, number});
  }
  return parts;
}

class EachDamage : public testing::TestWithParam<Part> {};

TEST_P(EachDamage, IsRepairedWithoutLoss) {
  const char* only = std::getenv("PODLAUNCH_TEST_DAMAGE");
  const Storage storage = GetParam().storage;
  LivedIn world(storage);
  const Damager damager(world.path);
  int applied = 0;
  int number = -1;
  for (const DamageEntry& entry : read_catalogue()) {
    ++number;
    if (only != nullptr ? entry.id != only || GetParam().number != 0 : number / 3 % kParts != GetParam().number)
      continue;
    if (only == nullptr && !slow_tests() && number % 3 != static_cast<int>(storage)) continue;
    world.reset();
    if (!damager.apply(entry.operations)) continue;
    ++applied;
    SCOPED_TRACE(entry.id + ", " + name_of(storage));
    const auto outcome = expect_repaired(world, entry.destroys);
    EXPECT_TRUE(!outcome || found(*outcome, entry.finding)) << "not told: " << entry.finding << describe(outcome);
    if (HasFailure() && only != nullptr) return;
  }
  EXPECT_TRUE(applied > 0 || only != nullptr);
}

INSTANTIATE_TEST_SUITE_P(Damage, EachDamage, testing::ValuesIn(all_parts()),
                         [](const auto& test) { return testing::PrintToString(test.param); });

class DamageCatalogue : public testing::TestWithParam<Storage> {};

// Where nothing calls for a deep look, a quick one sees what would hang the fetch that follows.
TEST(QuickBoot, MendsACommitThatIsCutOff) {
  LivedIn world(Storage::kLoose);
  const auto path = Damager(world.path).locate("object:experiment^");
  ASSERT_TRUE(path);
  fs::permissions(*path, fs::perms::owner_write, fs::perm_options::add);
  Damager::truncate(*path);
  const auto outcome = bring_up(world.request());
  ASSERT_TRUE(outcome) << describe(outcome);
  EXPECT_TRUE(found(*outcome, "loose-object-damaged")) << describe(outcome);
  EXPECT_TRUE(world.fsck_is_clean()) << world.fsck() << describe(outcome);
}

// What a quick look does not see, since it reads no files' contents, and an update then meets. libgit2 has all files of
// a new commit sent and meets it only where something is set aside.
class UpdateOverACutOffBlob : public testing::Test {
 protected:
  UpdateOverACutOffBlob() {
    world_.git("reset -q --hard origin/DL4Math");
    for (int i = 0; i < 3000; ++i) longer_ += "print(" + std::to_string(i * 7919) + ")\n";
    world_.commit_upstream("train.py", longer_, "longer");
    must_bring_up(world_.request());
  }

  void cut_off(const std::string& object) const {
    world_.must("cd " + world_.path.string() +
                " && mkdir ../packs && mv .git/objects/pack/* ../packs/ && for p in ../packs/*.pack; do git "
                "unpack-objects -q < $p; done && rm -rf ../packs");
    ASSERT_TRUE(Damager(world_.path).apply(YAML::Load("[{truncate: 'object:" + object + "'}]")));
  }

  void expect_updated_to(const std::string& contents) const {
    Request request = world_.request();
    request.transport = Transport::kGit;
    const auto outcome = bring_up(request);
    ASSERT_TRUE(outcome) << describe(outcome);
    EXPECT_EQ(outcome->commit, world_.tip()) << describe(outcome);
    EXPECT_TRUE(found(*outcome, "loose-object-damaged")) << describe(outcome);
    EXPECT_EQ(read_text(world_.path / "train.py"), contents);
    EXPECT_TRUE(world_.fsck_is_clean()) << world_.fsck() << describe(outcome);
    const auto again = bring_up(request);
    EXPECT_TRUE(again && again->done.empty()) << "the second boot did something: " << describe(again);
  }

  LivedIn world_{Storage::kLoose};
  std::string longer_;
};

// The remote sends only what is different from a file that it believes to be here.
TEST_F(UpdateOverACutOffBlob, MendsWhatTheDownloadIsBasedOn) {
  cut_off("HEAD:train.py");
  const std::string longest = longer_ + "print('one more')\n";
  world_.commit_upstream("train.py", longest, "longest");
  expect_updated_to(longest);
}

// A file's earlier contents, which upstream goes back to, and which it need not send.
TEST_F(UpdateOverACutOffBlob, MendsWhatItGoesBackTo) {
  world_.commit_upstream("train.py", "print('short')\n", "short");
  must_bring_up(world_.request());
  cut_off("HEAD~1:train.py");
  world_.commit_upstream("train.py", longer_, "longer again");
  expect_updated_to(longer_);
}

// The last 20 bytes made the SHA-1 of the others again.
void sign(std::string& bytes) {
  Sha1 hash;
  hash.add(bytes.data(), bytes.size() - GIT_OID_RAWSZ);
  const git_oid sum = hash.finish();
  bytes.replace(bytes.size() - GIT_OID_RAWSZ, GIT_OID_RAWSZ, reinterpret_cast<const char*>(sum.id), GIT_OID_RAWSZ);
}

// Bits flipped in a pack whose every checksum is right: a deep look believes it, and an update does not.
TEST(DeepBoot, MendsAnObjectInAPackThatWasSignedAnew) {
  LivedIn world(Storage::kPacked);
  write_file(world.path / "README.md", "MARK of a readme\n");
  const Damager damager(world.path);
  const auto pack = damager.locate("pack:");
  ASSERT_TRUE(pack);
  const fs::path index = fs::path(*pack).replace_extension(".idx");
  const std::string blob = World::trimmed(world.git("rev-parse HEAD:README.md"));
  const auto offset = std::stoul(
      World::trimmed(World::must("git show-index < " + index.string() + " | grep " + blob + " | cut -d' ' -f1")));
  for (const fs::path& file : {fs::path(*pack), index})
    fs::permissions(file, fs::perms::owner_write, fs::perm_options::add);
  std::string bytes = read_text(*pack);
  bytes[offset + 6] = static_cast<char>(bytes[offset + 6] ^ 0x55);
  sign(bytes);
  std::string index_bytes = read_text(index);
  const std::size_t named = index_bytes.size() - 2 * GIT_OID_RAWSZ;
  index_bytes.replace(named, GIT_OID_RAWSZ, bytes.substr(bytes.size() - GIT_OID_RAWSZ));
  sign(index_bytes);
  write_file(*pack, bytes);
  write_file(index, index_bytes);
  ASSERT_FALSE(world.fsck_is_clean());
  Request request = deep_request(world);
  request.local_changes = LocalChanges::kSetAside;
  const auto outcome = bring_up(request);
  ASSERT_TRUE(outcome) << describe(outcome);
  EXPECT_TRUE(found(*outcome, "pack-damaged")) << describe(outcome);
  EXPECT_EQ(outcome->commit, world.tip()) << describe(outcome);
  EXPECT_TRUE(world.fsck_is_clean()) << world.fsck() << describe(outcome);
  EXPECT_EQ(world.lost(), std::set<std::string>()) << describe(outcome);
}

TEST(QuickBoot, MendsATreeThatIsCutOffBeforeItSetsChangesAside) {
  for (const std::string damage : {"object:HEAD^{tree}", "object:HEAD:README.md"}) {
    SCOPED_TRACE(damage);
    LivedIn world(Storage::kLoose);
    write_file(world.path / "README.md", "MARK of a readme\n");
    ASSERT_TRUE(Damager(world.path).apply(YAML::Load("[{truncate: '" + damage + "'}]")));
    Request request = world.request();
    request.local_changes = LocalChanges::kSetAside;
    const auto outcome = bring_up(request);
    ASSERT_TRUE(outcome) << describe(outcome);
    EXPECT_EQ(outcome->commit, world.tip()) << describe(outcome);
    EXPECT_EQ(read_text(world.path / "README.md"), "# project\n");
    EXPECT_TRUE(world.fsck_is_clean()) << world.fsck() << describe(outcome);
    EXPECT_EQ(world.lost(), std::set<std::string>()) << describe(outcome);
  }
}

// What a rebase set aside is named by nothing but its own folder.
TEST(TornRebase, KeepsWhatItHadSetAside) {
  LivedIn world(Storage::kLoose);
  write_file(world.path / "train.py", "# MARK of an autostash\n");
  world.must("cd " + world.path.string() +
             " && mkdir .git/rebase-merge && git stash create > .git/rebase-merge/autostash && : > "
             ".git/rebase-merge/head-name && git checkout train.py");
  const auto outcome = bring_up(deep_request(world));
  ASSERT_TRUE(outcome) << describe(outcome);
  const std::string rescued = world.git("for-each-ref --format='%(refname)' refs/podlaunch/rescue");
  ASSERT_NE(rescued.find("autostash"), std::string::npos) << rescued << describe(outcome);
  EXPECT_NE(world.git("show " + World::trimmed(rescued) + ":train.py").find("MARK of an autostash"), std::string::npos);
}

bool head_s_tree_is_whole(const LivedIn& world) {
  return shell("git -C " + world.path.string() + " archive HEAD > /dev/null").status == 0;
}

TEST_P(DamageCatalogue, OfflineIsRepairedOrHeldUntilTheNetworkIsBack) {
  const char* only = std::getenv("PODLAUNCH_TEST_DAMAGE");
  LivedIn world(GetParam());
  const Damager damager(world.path);
  auto entries = read_catalogue();
  if (only == nullptr && !slow_tests()) {
    auto random = seeded();
    std::shuffle(entries.begin(), entries.end(), random);
    entries.resize(12);
  }
  for (const DamageEntry& entry : entries) {
    if (only != nullptr && entry.id != only) continue;
    world.reset();
    if (!damager.apply(entry.operations)) continue;
    SCOPED_TRACE("offline: " + entry.id + ", " + name_of(GetParam()));
    world.go_offline();
    const auto outcome = bring_up(deep_request(world));
    if (outcome) {
      EXPECT_TRUE(head_s_tree_is_whole(world)) << describe(outcome);
    } else {
      using enum base::ErrorCode;
      const base::ErrorCode code = outcome.error().code;
      EXPECT_TRUE(code == kDamaged || code == kNetwork || code == kNotFound) << describe(outcome);
    }
    world.go_online();
    (void)expect_repaired(world, entry.destroys);
  }
}

// Not where the first damage left no place for the second.
bool applied_on_top(const Damager& damager, const DamageEntry& entry) {
  try {
    return damager.apply(entry.operations);
  } catch (const fs::filesystem_error&) {
    return false;
  }
}

TEST_P(DamageCatalogue, PairsAreRepairedWithoutLoss) {
  LivedIn world(GetParam());
  const Damager damager(world.path);
  const auto entries = read_catalogue();
  auto random = seeded();
  std::uniform_int_distribution<std::size_t> any(0, entries.size() - 1);
  const char* only = std::getenv("PODLAUNCH_TEST_PAIR");  // "<id> <id>"
  for (int left = slow_tests() || only != nullptr ? 300 : 10; left > 0; --left) {
    const DamageEntry& one = entries[any(random)];
    const DamageEntry& other = entries[any(random)];
    const std::string title = one.id + " " + other.id;
    if (only != nullptr && title != only) continue;
    world.reset();
    if (!damager.apply(one.operations) || !applied_on_top(damager, other)) continue;
    SCOPED_TRACE("pair: " + title + ", " + name_of(GetParam()));
    std::set<std::string> destroyed = world.lost();  // two damages may take what each alone leaves
    destroyed.insert(one.destroys.begin(), one.destroys.end());
    destroyed.insert(other.destroys.begin(), other.destroys.end());
    (void)expect_repaired(world, destroyed);
  }
}

INSTANTIATE_TEST_SUITE_P(Each, DamageCatalogue, testing::Values(Storage::kLoose, Storage::kPacked, Storage::kMixed),
                         [](const auto& test) { return name_of(test.param); });

}  // namespace
}  // namespace checkout
