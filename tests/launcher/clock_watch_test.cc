#include "launcher/boot/clock_watch.h"

#include <gtest/gtest.h>

namespace boot {
namespace {

constexpr std::int64_t kWall = 1'800'000'000'000;
constexpr std::int64_t kYear = 365LL * 86400;

TEST(ClockWatch, ClocksThatAdvanceAlikeHaveNotJumped) {
  ClockWatch watch;
  base::TimePoint now{base::Seconds(5000)};
  EXPECT_EQ(watch.jump(kWall, now), 0);
  EXPECT_EQ(watch.jump(kWall + 3'600'000, now + base::Seconds(3600)), 0);
  EXPECT_EQ(watch.jump(kWall + 3'605'000, now + base::Seconds(3602)), 0);
}

TEST(ClockWatch, JumpIsToldOnceInEitherDirection) {
  for (const std::int64_t way : {-1, 1}) {
    ClockWatch watch;
    const base::TimePoint now{base::Seconds(5000)};
    EXPECT_EQ(watch.jump(kWall, now), 0);
    EXPECT_EQ(watch.jump(kWall + way * kYear * 1000 + 60'000, now + base::Seconds(60)), way * kYear);
    EXPECT_EQ(watch.jump(kWall + way * kYear * 1000 + 120'000, now + base::Seconds(120)), 0);
  }
}

}  // namespace
}  // namespace boot
