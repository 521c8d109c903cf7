// Every damage of the catalogue, on every form of storage: one boot later git finds nothing wrong, every mark is found,
// and a second boot changes nothing.
#include <gtest/gtest.h>

#include "damage.h"
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

class DamageCatalogue : public testing::TestWithParam<Storage> {};

TEST_P(DamageCatalogue, IsRepairedWithoutLoss) {
  const char* only = std::getenv("PODLAUNCH_TEST_DAMAGE");
  LivedIn world(GetParam());
  const Damager damager(world.path);
  int applied = 0;
  int number = 0;
  for (const DamageEntry& entry : read_catalogue()) {
    if (only != nullptr && entry.id != only) continue;
    // In the normal run each damage meets one form of storage; in the slow one it meets all.
    if (only == nullptr && !slow_tests() && number++ % 3 != static_cast<int>(GetParam())) continue;
    world.reset();
    if (!damager.apply(entry.operations)) continue;
    ++applied;
    SCOPED_TRACE(entry.id + ", " + name_of(GetParam()));
    Request request = world.request();
    request.deep = true;
    const auto outcome = bring_up(request);
    EXPECT_TRUE(outcome.has_value()) << describe(outcome);
    if (!outcome) continue;
    EXPECT_TRUE(found(*outcome, entry.finding)) << describe(outcome);
    EXPECT_FALSE(outcome->cloned) << describe(outcome);
    EXPECT_TRUE(world.fsck_is_clean()) << world.fsck() << describe(outcome);
    for (const std::string& mark : world.lost()) {
      EXPECT_TRUE(entry.destroys.contains(mark)) << mark << " is lost\n" << describe(outcome);
    }
    const auto again = bring_up(request);
    EXPECT_TRUE(again && again->done.empty()) << "the second boot did something: " << describe(again);
    if (HasFailure() && only != nullptr) return;
  }
  EXPECT_GT(applied, 0);
}

INSTANTIATE_TEST_SUITE_P(Each, DamageCatalogue, testing::Values(Storage::kLoose, Storage::kPacked, Storage::kMixed),
                         [](const auto& test) { return name_of(test.param); });

}  // namespace
}  // namespace checkout
