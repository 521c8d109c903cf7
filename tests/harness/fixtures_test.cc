// The fixtures as programs of their own: what they promise to the worlds that they are put into, tried natively.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "base/wait_status.h"
#include "harness/scenario/parse.h"

namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

const fs::path kFixtures = fs::path(PROJECT_SOURCE_DIR) / "fixtures";
const fs::path kRepository = kFixtures / "repositories/gsm8k";

std::string content(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

struct Output {
  int exit_code = -1;
  std::string text;
};

class FixturesTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "fixtures_test.XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    fs::create_directories(folder_ / "bin");
    fs::create_directories(folder_ / "home");
  }
  void TearDown() override { fs::remove_all(folder_); }

  // Bounded; with a `sleep` that takes no time, and a home of its own.
  Output run(const std::string& command) const {
    std::ofstream(folder_ / "bin/sleep") << "#!/bin/sh\necho \"$@\" >> \"$HOME/slept\"\n";
    fs::permissions(folder_ / "bin/sleep", fs::perms::owner_all);
    std::ofstream(folder_ / "command") << command;
    const std::string line = "timeout 60 env HOME=" + (folder_ / "home").string() +
                             " PATH=" + (folder_ / "bin").string() + ":$PATH bash " + (folder_ / "command").string() +
                             " 2>&1";
    Output output;
    FILE* pipe = ::popen(line.c_str(), "r");
    std::array<char, 4096> buffer{};
    for (std::size_t count = 0; (count = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
      output.text.append(buffer.data(), count);
    }
    output.exit_code = base::WaitStatus::from_raw(::pclose(pipe)).shell_code();
    return output;
  }

  Output train(const std::string& checkpoints, const std::string& variables = "TRAINER_STEP_SECONDS=0") const {
    return run("cd " + kRepository.string() + " && TRAINER_STEPS=40 TRAINER_CHECKPOINT_EVERY=10 TRAINER_CHECKPOINTS=" +
               (folder_ / checkpoints).string() + " " + variables +
               " bash examples/cloud_gsm8k/run_training_cloud.sh 1hour");
  }

  // Ends the training with a signal as soon as it has printed the line.
  Output train_until(const std::string& checkpoints, const std::string& line, const std::string& signal) const {
    return run("export TRAINER_STEPS=40 TRAINER_STEP_SECONDS=0.02 TRAINER_CHECKPOINT_EVERY=10 TRAINER_CHECKPOINTS=" +
               (folder_ / checkpoints).string() + "\ncoproc TRAINING { exec python3 -S " + kRepository.string() +
               "/examples/cloud_gsm8k/train.py; }\nid=$TRAINING_PID\nexec 3<&${TRAINING[0]}\n"
               "while read -r text <&3; do echo \"$text\"; case \"$text\" in \"" +
               line + "\"*) kill -" + signal + " $id ;; esac; done\nwait $id\n");
  }

  fs::path folder_;
};

// --- The trainer ---------------------------------------------------------------------------------------------------

TEST_F(FixturesTest, TrainingFinishesWithoutASimulator) {
  const Output output = train("a");
  EXPECT_EQ(output.exit_code, 0) << output.text;
  EXPECT_THAT(output.text, HasSubstr("step 1 loss "));
  EXPECT_THAT(output.text, HasSubstr("training finished at step 40"));
  EXPECT_TRUE(fs::exists(folder_ / "a/checkpoint-000030.json"));
  EXPECT_THAT(content(folder_ / "a/final.json"), HasSubstr("\"step\": 40"));
}

TEST_F(FixturesTest, TrainingLearns) {
  const Output output = train("a", "TRAINER_STEP_SECONDS=0 TRAINER_STEPS=400");
  const auto loss_at = [&](const std::string& step) {
    const std::string before = "step " + step + " loss ";
    const std::size_t place = output.text.find(before);
    return place == std::string::npos ? -1.0 : std::stod(output.text.substr(place + before.size()));
  };
  EXPECT_GT(loss_at("1"), 0.001);
  EXPECT_LT(loss_at("400"), loss_at("1") / 100);
}

TEST_F(FixturesTest, KilledAndResumedTrainingEndsWithTheSameBits) {
  ASSERT_EQ(train("whole").exit_code, 0);
  EXPECT_EQ(train_until("parts", "step 17 ", "KILL").exit_code, 128 + SIGKILL);
  EXPECT_FALSE(fs::exists(folder_ / "parts/final.json"));
  const Output resumed = train("parts");
  EXPECT_THAT(resumed.text, HasSubstr("resuming from step 10"));
  EXPECT_EQ(content(folder_ / "parts/final.json"), content(folder_ / "whole/final.json"));
}

TEST_F(FixturesTest, SigtermSavesTheLastStep) {
  ASSERT_EQ(train("whole").exit_code, 0);
  const Output ended = train_until("parts", "step 17 ", "TERM");
  EXPECT_EQ(ended.exit_code, 128 + SIGTERM);
  EXPECT_THAT(ended.text, HasSubstr("SIGTERM: saving at step 17"));
  EXPECT_THAT(train("parts").text, HasSubstr("resuming from step 17"));
  EXPECT_EQ(content(folder_ / "parts/final.json"), content(folder_ / "whole/final.json"));
}

TEST_F(FixturesTest, TornCheckpointIsSkipped) {
  ASSERT_EQ(train("a").exit_code, 0);
  const std::string whole = content(folder_ / "a/checkpoint-000040.json");
  std::ofstream(folder_ / "a/checkpoint-000040.json") << whole.substr(0, whole.size() / 2);
  std::ofstream(folder_ / "a/checkpoint-000030.json") << "";
  const Output output = train("a");
  EXPECT_EQ(output.exit_code, 0);
  EXPECT_THAT(output.text, HasSubstr("skipping checkpoint-000040.json"));
  EXPECT_THAT(output.text, HasSubstr("resuming from step 20"));
}

TEST_F(FixturesTest, WeightsDependNeitherOnTimeNorOnTrialName) {
  ASSERT_EQ(train("a", "TRAINER_STEP_SECONDS=0 TRIAL_NAME=one").exit_code, 0);
  ASSERT_EQ(train("b", "TRAINER_STEP_SECONDS=0.001 TRIAL_NAME=two").exit_code, 0);
  EXPECT_EQ(content(folder_ / "a/final.json"), content(folder_ / "b/final.json"));
  EXPECT_TRUE(fs::exists(folder_ / "a/one.log"));
  EXPECT_TRUE(fs::exists(folder_ / "b/two.log"));
}

// Orders come as the errno of a look at a mark; here os.stat is replaced, as a simulator does it from below.
TEST_F(FixturesTest, TrainerObeysOrders) {
  const auto ordered = [&](const std::string& order, const std::string& folder) {
    return run("export TRIAL_NAME=trial-7 TRAINER_STEPS=40 TRAINER_STEP_SECONDS=0 TRAINER_CHECKPOINTS=" +
               (folder_ / folder).string() +
               "\npython3 -S - <<'END'\nimport errno, os\nlook = os.stat\n"
               "def stat(path, *rest, **more):\n    if path == '/.simrun/mark/step/12':\n        raise OSError(errno." +
               order +
               ", path)\n    return look(path, *rest, **more)\nos.stat = stat\n__file__ = 'train.py'\n"
               "exec(open('" +
               (kRepository / "examples/cloud_gsm8k/train.py").string() + "').read())\nEND\n");
  };
  const Output crash = ordered("EIO", "crash");
  EXPECT_EQ(crash.exit_code, 1);
  EXPECT_THAT(crash.text, HasSubstr("RuntimeError: the training has lost its data"));
  EXPECT_THAT(crash.text, Not(HasSubstr("step 12 loss")));
  const Output memory = ordered("ENOMEM", "memory");
  EXPECT_EQ(memory.exit_code, 1);
  EXPECT_THAT(memory.text, HasSubstr("torch.cuda.OutOfMemoryError: CUDA out of memory."));
  EXPECT_THAT(memory.text, HasSubstr("in trial trial-7"));
  EXPECT_EQ(ordered("EFAULT", "fault").exit_code, 128 + SIGSEGV);
  const Output early = ordered("ECANCELED", "early");
  EXPECT_EQ(early.exit_code, 0);
  EXPECT_FALSE(fs::exists(folder_ / "early/final.json"));
  const Output late = ordered("EDOM", "late");
  EXPECT_EQ(late.exit_code, 1);
  EXPECT_TRUE(fs::exists(folder_ / "late/final.json"));
}

// --- pip -----------------------------------------------------------------------------------------------------------

TEST_F(FixturesTest, PipConfigIsTheSameEachTime) {
  const std::string pip = (kFixtures / "bin/pip").string();
  const std::string both =
      pip + " config set global.index-url https://pypi.org/simple && " + pip + " config set global.extra-index-url ''";
  EXPECT_EQ(run(both).exit_code, 0);
  const std::string first = content(folder_ / "home/.config/pip/pip.conf");
  EXPECT_EQ(first, "[global]\nindex-url = https://pypi.org/simple\nextra-index-url = \n");
  EXPECT_EQ(run(both).exit_code, 0);
  EXPECT_EQ(content(folder_ / "home/.config/pip/pip.conf"), first);
}

TEST_F(FixturesTest, PipInstallTakesTwentySecondsAndWritesToTheHome) {
  fs::create_directories(folder_ / "AReaL");
  std::ofstream(folder_ / "AReaL/setup.py") << "";
  const Output output =
      run("cd " + (folder_ / "AReaL").string() + " && " + (kFixtures / "bin/pip").string() + " install -e .");
  EXPECT_EQ(output.exit_code, 0) << output.text;
  EXPECT_THAT(output.text, HasSubstr("Successfully installed AReaL"));
  EXPECT_EQ(content(folder_ / "home/slept"), "8\n12\n");
  EXPECT_EQ(content(folder_ / "home/.local/lib/python3/site-packages/__editable__.AReaL.pth"),
            (folder_ / "AReaL").string() + "\n");
}

TEST_F(FixturesTest, PipInstallNeedsAProject) {
  const Output output = run("cd " + folder_.string() + " && " + (kFixtures / "bin/pip").string() + " install -e .");
  EXPECT_EQ(output.exit_code, 1);
  EXPECT_THAT(output.text, HasSubstr("does not appear to be a Python project"));
}

TEST_F(FixturesTest, PipFailsAfterHalfAMinuteWhenTold) {
  // The mark cannot exist here, so a copy looks at something that does.
  const Output output = run("cd " + folder_.string() + "\ntouch setup.py\nsed 's|/.simrun/mark/pip|/dev/null|' " +
                            (kFixtures / "bin/pip").string() + " > pip\nsh pip install -e .\n");
  EXPECT_EQ(output.exit_code, 1);
  EXPECT_THAT(output.text, HasSubstr("Retrying"));
  EXPECT_THAT(output.text, HasSubstr("ERROR: No matching distribution found"));
  EXPECT_EQ(content(folder_ / "home/slept"), "6\n6\n6\n6\n6\n");
}

// --- Start commands ------------------------------------------------------------------------------------------------

TEST(StartCommands, AreShell) {
  for (const auto& entry : fs::directory_iterator(kFixtures / "start-commands")) {
    EXPECT_EQ(std::system(("bash -n " + entry.path().string()).c_str()), 0) << entry.path();
  }
}

// Scenarios cannot include files, so the text stands twice; it must not drift apart.
void expect_same_command(const fs::path& scenario_file, const std::string& command) {
  const auto scenarios = scenario::load(scenario_file.string());
  ASSERT_TRUE(scenarios) << scenarios.error().message();
  EXPECT_EQ(scenarios->front().start.command.back(), content(kFixtures / "start-commands" / command)) << scenario_file;
}

TEST(StartCommands, OfIncidentsAndTeethAreTheScenarios) {
  const fs::path source = PROJECT_SOURCE_DIR;
  expect_same_command(source / "scenarios/incident_naive_clone.yaml", "generation1.sh");
  expect_same_command(source / "scenarios/incident_oom_loop.yaml", "generation4.sh");
  for (const char* name : {"", "_local_edits", "_index_lock", "_offline"}) {
    expect_same_command(source / "scenarios" / ("incident_smart_pull" + std::string(name) + ".yaml"), "generation3.sh");
  }
  for (const auto& entry : fs::directory_iterator(source / "tests/teeth")) {
    if (entry.is_directory()) continue;
    expect_same_command(entry.path(), entry.path().stem().string() + ".sh");
  }
}

}  // namespace
