#include <gmock/gmock.h>

#include "tests/harness/oracle_world.h"

namespace oracle {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

class TrainingResumes : public WorldOnDisk {
 protected:
  void SetUp() override {
    WorldOnDisk::SetUp();
    record_.final_path = "/workspace/outputs/final.json";
    record_.reference_final = "{\"weights\": [1, 2]}\n";
    record_.boots = {failing_boot(1), failing_boot(2)};
  }
  Verdict check() { return ask("training-resumes", scenario_, record_); }

  // Boot 1 trains from 0 and leaves a checkpoint of step 100; boot 2 begins at `step` and finishes.
  void interrupted_and_resumed_at(int step) {
    record_.attempts = {{1, seconds(1), seconds(2), 0, 110, false}, {2, seconds(18), seconds(19), step, 200, true}};
    record_.events = {{seconds(2), 1, pod::EventKind::kCheckpoint, "checkpoint of step 100", 100}};
    write(volume() / "outputs/final.json", record_.reference_final);
  }
};

TEST_F(TrainingResumes, GoingOnFromTheNewestCheckpointPasses) {
  interrupted_and_resumed_at(100);
  EXPECT_EQ(check().status, Status::kPass) << check().reason;
}

TEST_F(TrainingResumes, StartingOverFails) {
  interrupted_and_resumed_at(0);
  const auto verdict = check();
  EXPECT_EQ(verdict.status, Status::kFail);
  EXPECT_THAT(verdict.reason, HasSubstr("began at step 0, although a checkpoint of step 100"));
}

TEST_F(TrainingResumes, ACheckpointThatDiedWithThePodDoesNotCount) {
  interrupted_and_resumed_at(0);
  scenario_.trainer.checkpoint_folder = "/root/outputs";
  EXPECT_EQ(check().status, Status::kFail) << "the same pod still has it";
  record_.boots[1].pod_id = "pod-2";
  EXPECT_EQ(check().status, Status::kPass) << check().reason;
}

TEST_F(TrainingResumes, OtherWeightsFail) {
  interrupted_and_resumed_at(100);
  write(volume() / "outputs/final.json", "{\"weights\": [1, 3]}\n");
  const auto verdict = check();
  EXPECT_EQ(verdict.status, Status::kFail);
  EXPECT_THAT(verdict.reason, HasSubstr("from byte 16 on"));
}

TEST_F(TrainingResumes, MissingWeightsFail) {
  interrupted_and_resumed_at(100);
  std::filesystem::remove(volume() / "outputs/final.json");
  EXPECT_EQ(check().status, Status::kFail);
}

TEST_F(TrainingResumes, WithoutAReferenceNobodyCanTell) {
  interrupted_and_resumed_at(100);
  record_.reference_final.clear();
  EXPECT_EQ(check().status, Status::kUnknown);
}

TEST_F(TrainingResumes, DoesNotApplyToATrainingThatNeverBegan) {
  EXPECT_EQ(check().status, Status::kNotApplicable);
}

TEST(CompletionSticks, DoesNotApplyToAnUnfinishedTraining) {
  pod::WorldRecord record = failing_boots(1);
  record.attempts = {{1, seconds(0), seconds(1), 0, 100, false}};
  EXPECT_EQ(ask("completion-sticks", {}, record).status, Status::kNotApplicable);
}

TEST(CompletionSticks, LaterBootsWithoutAnAttemptPass) {
  pod::WorldRecord record = failing_boots(3);
  record.attempts = {{1, seconds(0), seconds(1), 0, 200, true}};
  const auto verdict = ask("completion-sticks", {}, record);
  EXPECT_EQ(verdict.status, Status::kPass);
  EXPECT_THAT(verdict.reason, HasSubstr("2 boots since"));
}

TEST(CompletionSticks, AnotherAttemptFails) {
  pod::WorldRecord record = failing_boots(2);
  record.attempts = {{1, seconds(0), seconds(1), 0, 200, true}, {2, seconds(17), seconds(18), 0, 10, false}};
  const auto verdict = ask("completion-sticks", {}, record);
  EXPECT_EQ(verdict.status, Status::kFail);
  EXPECT_THAT(verdict.reason, HasSubstr("run again in boot 2 at 0:00:17"));
}

// Boot 1 trains to the end, step 200, and is killed `after` the end; boot 2 trains once more, from `step`.
Status killed_and_run_again(std::chrono::milliseconds after, int step, pod::BootEnd ended_by = pod::BootEnd::kKilled) {
  pod::WorldRecord record = failing_boots(2);
  record.attempts = {{1, seconds(0), seconds(1), 0, 200, true}, {2, seconds(17), seconds(18), step, 200, true}};
  record.boots[0].end = seconds(1) + after;
  record.boots[0].ended_by = ended_by;
  return ask("completion-sticks", {}, record).status;
}

TEST(CompletionSticks, AnEndThatNobodyHadTimeToNoteMayBeFoundAgain) {
  EXPECT_EQ(killed_and_run_again(std::chrono::milliseconds(900), 200), Status::kPass);
  EXPECT_EQ(killed_and_run_again(std::chrono::milliseconds(1100), 200), Status::kFail) << "there was time";
  EXPECT_EQ(killed_and_run_again(std::chrono::milliseconds(900), 180), Status::kFail) << "it trained again";
  EXPECT_EQ(killed_and_run_again(std::chrono::milliseconds(900), 200, pod::BootEnd::kOwnExit), Status::kFail);
}

}  // namespace
}  // namespace oracle
