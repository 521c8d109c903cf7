// What a survey costs and how it behaves where there is very much to look at.
#include <gmock/gmock.h>
#include <sys/resource.h>

#include "checkout_world.h"

namespace checkout {
namespace {

double processor_seconds() {
  struct rusage usage {};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

class SurveyOfManyReferences : public testing::TestWithParam<Depth> {};

// Read once for each of them, the commit would take minutes.
TEST_P(SurveyOfManyReferences, ReadsWhatTheyNameOnce) {
  const World world;
  must_bring_up(world.request());
  write_file(world.root / "message", std::string(8'000'000, 'm') + "\n");
  world.git("commit -q --allow-empty -F " + (world.root / "message").string());
  const std::string head = world.head();
  std::string packed = "# pack-refs with: peeled fully-peeled sorted \n";
  for (int i = 100'000; i < 120'000; ++i) packed += head + " refs/heads/many/branch" + std::to_string(i) + "\n";
  write_file(world.path / ".git/packed-refs", packed);
  const double before = processor_seconds();
  const auto survey = checkout::survey(world.path, GetParam());
  ASSERT_TRUE(survey.has_value()) << survey.error().message();
  EXPECT_TRUE(survey->sound()) << to_json(*survey);
  EXPECT_LT(processor_seconds() - before, 10);
}

INSTANTIATE_TEST_SUITE_P(Each, SurveyOfManyReferences, testing::Values(Depth::kQuick, Depth::kDeep));

}  // namespace
}  // namespace checkout
