// The limit of what is kept aside: counted before and while something is added, and never met by losing anything.
#include <gmock/gmock.h>

#include "checkout_world.h"
#include "launcher/checkout/git/files.h"

namespace checkout {
namespace {

using testing::HasSubstr;

std::size_t cases(const World& world) {
  std::error_code error;
  std::size_t count = 0;
  for (fs::directory_iterator entry(world.quarantine(), error), end; !error && entry != end; entry.increment(error))
    ++count;
  return count;
}

TEST(Quarantine, OverItsLimitNothingIsTouchedAndTheReasonIsSaid) {
  const World world;
  must_bring_up(world.request());
  write_file(world.quarantine() / "0001/precious", std::string(5000, 'p'));
  const std::string torn = read_text(world.path / ".git/HEAD") + "garbage that is kept";
  write_file(world.path / ".git/HEAD", torn);
  Request request = world.request();
  request.quarantine_bytes_max = 5100;
  const auto outcome = bring_up(request);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, base::ErrorCode::kNoSpace);
  EXPECT_THAT(outcome.error().message(), HasSubstr("and 5100 is the limit"));
  EXPECT_THAT(outcome.error().remedy, HasSubstr("--quarantine-max"));
  EXPECT_EQ(read_text(world.path / ".git/HEAD"), torn);
  EXPECT_EQ(read_text(world.quarantine() / "0001/precious"), std::string(5000, 'p'));
  request.quarantine_bytes_max = 1U << 20;
  EXPECT_EQ(must_bring_up(request).commit, world.tip());
}

TEST(Quarantine, FullOneDoesNotKeepASoundCheckoutFromTraining) {
  const World world;
  must_bring_up(world.request());
  write_file(world.quarantine() / "0001/precious", std::string(5000, 'p'));
  Request request = world.request();
  request.quarantine_bytes_max = 100;
  EXPECT_EQ(must_bring_up(request).commit, world.tip());
}

TEST(Quarantine, RepeatedCasesAreDroppedFirstAndOneOfThemStays) {
  const World world;
  must_bring_up(world.request());
  for (const char* name : {"0001", "0002", "0003"})
    write_file(world.quarantine() / name / "same", std::string(40000, 's'));
  write_file(world.quarantine() / "0002/WHY.txt", "another day\n");
  write_file(world.quarantine() / "0004/other", std::string(40000, 'o'));
  write_file(world.path / ".git/HEAD", "garbage");
  Request request = world.request();
  request.quarantine_bytes_max = 120000;
  EXPECT_EQ(must_bring_up(request).commit, world.tip());
  EXPECT_EQ(cases(world), 3U);
  EXPECT_TRUE(World::holds(world.quarantine(), std::string(40000, 's')));
  EXPECT_TRUE(World::holds(world.quarantine(), std::string(40000, 'o')));
}

TEST(Quarantine, RescueReferencesCountAndAreNotAddedToOverTheLimit) {
  const World world;
  must_bring_up(world.request());
  Request request = world.request();
  request.local_changes = LocalChanges::kSetAside;
  request.quarantine_bytes_max = 6000;
  write_file(world.path / "train.py", std::string(5000, '1'));
  must_bring_up(request);
  EXPECT_THAT(world.git("for-each-ref refs/podlaunch/rescue"), HasSubstr("local-changes"));
  write_file(world.path / "train.py", std::string(4000, '2'));
  const auto outcome = bring_up(request);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, base::ErrorCode::kNoSpace);
  EXPECT_THAT(outcome.error().message(), HasSubstr("5000 under rescue references"));
  EXPECT_EQ(read_text(world.path / "train.py"), std::string(4000, '2'));
  request.quarantine_bytes_max = 1U << 20;
  must_bring_up(request);
  EXPECT_EQ(read_text(world.path / "train.py"), "print('step')\n");
}

TEST(Quarantine, IdenticalBootsConverge) {
  const World world;
  must_bring_up(world.request());
  Request request = world.request();
  request.quarantine_bytes_max = 1U << 20;
  std::size_t after_first = 0;
  for (int boot = 0; boot < 4; ++boot) {
    write_file(world.path / ".git/packed-refs", "the same damage at every boot\n");
    must_bring_up(request);
    if (boot == 0) after_first = bytes_under(world.quarantine());
  }
  request.quarantine_bytes_max = after_first * 2;
  write_file(world.path / ".git/packed-refs", "the same damage at every boot\n");
  must_bring_up(request);
  EXPECT_LE(bytes_under(world.quarantine()), after_first * 2);
}

}  // namespace
}  // namespace checkout
