#include "harness/pod/world/world.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/pod/manifest.h"
#include "tests/harness/world_play.h"

namespace pod {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

std::string starts_of(const WorldRecord& record) {
  std::string text;
  for (const auto& boot : record.boots) text += std::to_string(boot.start / 100ms) + " ";
  return text;
}

TEST(World, CommandIsTheFirstProcessAndSeesOnlyThePod) {
  const auto text = play(
      shell("echo $$; hostname; cat /proc/uptime; ls /root /home; ls /proc | grep -c '^[0-9]'; sleep inf"), log_of);
  EXPECT_THAT(text, HasSubstr("1\npod-1\n86400.00 "));
  EXPECT_THAT(text, HasSubstr("/home:\n\n/root:\n"));
}

TEST(World, ACommandThatExitsIsStartedAgainAtThePlatformsTicks) {
  EXPECT_EQ(play(shell("exit 1"), starts_of), "0 168 336 504 672 840 ");
}

TEST(World, DisksKeepWhatTheyPromise) {
  auto scenario = shell("echo x >>/root/c; echo x >>/workspace/v; wc -l </root/c; wc -l </workspace/v; sleep inf");
  scenario.timeline = {{at(100s), scenario::KillContainer{}, 1}, {at(200s), scenario::SpotInterrupt{}, 2}};
  // The container is killed (its disk stays), then the pod is taken away (its container disk goes).
  EXPECT_EQ(play(scenario, log_of), "1\n1\n2\n2\n1\n3\n");
}

TEST(World, SpotInterruptionWarnsThenKills) {
  auto scenario =
      shell("trap 'echo warned; sleep 3; echo late; sleep 10; echo never' TERM; while :; do sleep 3600 & wait; done");
  scenario.timeline = {{at(30s), scenario::SpotInterrupt{}, 1}};
  const auto text = play(scenario, [](const WorldRecord& record) {
    return log_of(record) + record.boots[0].status.describe() + " " + std::to_string(record.boots[0].end / 1s);
  });
  EXPECT_EQ(text, "warned\nlate\nsignal 9 35");
}

TEST(World, ACommandThatStaysIsHeld) {
  const auto text = play(shell("sleep inf"), [](const WorldRecord& record) {
    return std::string(scenario::name(*record.outcome)) + " " + std::to_string(record.end / 1h);
  });
  EXPECT_EQ(text, "held 1");
}

TEST(World, ACommandThatCannotBeExecutedIsAnError) {
  auto scenario = shell("");
  scenario.start.command = {"/no/such/program"};
  EXPECT_THAT(play(scenario, log_of), HasSubstr("cannot run the start command: execute /no/such/program"));
}

TEST(World, ReadSetHoldsWhatWasSeenAndNotWhatWasWritten) {
  const auto text = play(
      shell("cat /workspace/a; test -e /workspace/b; echo x >/workspace/c; cat /workspace/c; ls /workspace; exit 1"),
      [](const WorldRecord& record) {
        std::string seen;
        for (const auto& [path, kind] : record.boots[0].trace.read_set) {
          if (path.starts_with("/workspace")) seen += path + ":" + std::to_string(static_cast<int>(kind)) + " ";
        }
        for (const auto& path : record.boots[0].trace.changed) seen += "changed " + path + " ";
        return seen;
      });
  EXPECT_THAT(text, HasSubstr("/workspace/a:0 "));
  EXPECT_THAT(text, HasSubstr("/workspace/b:0 "));
  EXPECT_THAT(text, HasSubstr("/workspace:3 "));
  EXPECT_THAT(text, testing::Not(HasSubstr("/workspace/c:2")));
  EXPECT_THAT(text, HasSubstr("changed /workspace/c "));
}

TEST(World, MountTableShowsTheDisksThatArePlayed) {
  const auto text = play(shell("grep -c . /proc/self/mountinfo; grep workspace /proc/mounts; exec sleep inf"), log_of);
  EXPECT_EQ(text, "5\n/dev/nvme0n1p1 /workspace ext4 rw,relatime 0 0\n");
}

TEST(World, ADayOfSleepIsCheap) {
  auto scenario = shell("sleep 86400");
  scenario.settle = 47h;
  const auto text = play(scenario, [](const WorldRecord& record) {
    return std::to_string(record.boots[1].start / 1s) + (record.real_seconds < 30 ? " cheap" : " dear");
  });
  EXPECT_EQ(text, "86402 cheap");
}

TEST(Manifest, DifferenceNamesWhatChangedAndWhere) {
  const Manifest before{{"/a", {0100644, 1, 1}}, {"/d", {0040755, 0, 0}}, {"/d/x", {0100644, 1, 1}}};
  const Manifest after{{"/a", {0100644, 1, 2}}, {"/d", {0040755, 0, 0}}, {"/d/y", {0100644, 1, 1}}};
  const Difference difference = compare(before, after);
  EXPECT_THAT(difference.changed, testing::ElementsAre("/a", "/d/x", "/d/y"));
  EXPECT_THAT(difference.listing_changed, testing::ElementsAre("/d"));
}

}  // namespace
}  // namespace pod
