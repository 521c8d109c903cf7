// Companions of the real program, end to end: they die with it, and survive what a training does to its neighbours.
#include <gmock/gmock.h>

#include "tests/launcher/podlaunch_world.h"

namespace podlaunch_world {
namespace {

using Companions = Podlaunch;

bool lives(const fs::path& pid_file) {
  const int process = std::atoi(read(pid_file).c_str());
  return process > 0 && ::kill(process, 0) == 0;
}

TEST_F(Companions, LiveUntilTheLauncherIsTold) {
  const std::string companion = "echo $$ >" + (folder_ / "pid").string() + "; exec sleep 1000";
  Launcher launcher = boot({"--alongside", companion}, {"sleep", "1000"});
  ASSERT_TRUE(launcher.says("attempt 1")) << launcher.log();
  ASSERT_TRUE(holds_within(std::chrono::seconds(60), [&] { return lives(folder_ / "pid"); }));
  launcher.signal(SIGTERM);
  EXPECT_EQ(launcher.status(), 143) << launcher.log();
  EXPECT_TRUE(holds_within(std::chrono::seconds(60), [&] { return !lives(folder_ / "pid"); }));
}

TEST_F(Companions, DieWithALauncherThatIsKilled) {
  const std::string companion = "echo $$ >" + (folder_ / "pid").string() + "; exec sleep 1000";
  Launcher launcher = boot({"--alongside", companion}, {"sleep", "1000"});
  ASSERT_TRUE(launcher.says("attempt 1")) << launcher.log();
  ASSERT_TRUE(holds_within(std::chrono::seconds(60), [&] { return lives(folder_ / "pid"); }));
  launcher.signal(SIGKILL);
  EXPECT_TRUE(holds_within(std::chrono::seconds(60), [&] { return !lives(folder_ / "pid"); }));
}

TEST_F(Companions, AreNotTakenForTheTraining) {
  Launcher launcher = boot({"--alongside", "echo step 99; sleep 1000", "--on-complete", "exit"}, train_script());
  EXPECT_EQ(launcher.status(), 0) << launcher.log();
  EXPECT_TRUE(launcher.says("step 99"));
  EXPECT_EQ(status()["best_step"], 3) << status();
}

}  // namespace
}  // namespace podlaunch_world
