#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "launcher/training/checkpoint.h"
#include "launcher/training/step.h"

namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using training::number_in_name;
using training::survey_checkpoints;
using training::what_is_torn;

std::string little_endian(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i, value >>= 8) text += static_cast<char>(value & 0xff);
  return text;
}

// A zip archive that holds one empty file, as small as they get.
std::string zip_archive() {
  const std::string local = "PK\x03\x04" + std::string(22, '\0') + little_endian(1, 2) + little_endian(0, 2) + "a";
  const std::string directory =
      "PK\x01\x02" + std::string(24, '\0') + little_endian(1, 2) + std::string(16, '\0') + "a";
  return local + directory + "PK\x05\x06" + std::string(4, '\0') + little_endian(1, 2) + little_endian(1, 2) +
         little_endian(directory.size(), 4) + little_endian(local.size(), 4) + little_endian(0, 2);
}

std::string safetensors(std::size_t data_bytes) {
  const std::string header = R"({"__metadata__":{"a":"b"},"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  return little_endian(header.size(), 8) + header + std::string(data_bytes, 'x');
}

class Checkpoints : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path write(const std::string& name, const std::string& content) {
    const fs::path path = folder_ / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }
  std::vector<std::string> all(const std::string& pattern) const { return {(folder_ / pattern).string()}; }

  const fs::path folder_ = fs::path(testing::TempDir()) / ("checkpoints_" + std::to_string(::getpid()));
};

TEST_F(Checkpoints, LogsUnderAWidePatternAreNoCheckpoints) {
  for (const char* name : {"run-20260101-003950.log", "notes-7.txt", "events.out.tfevents.1767225600"}) {
    std::ofstream(folder_ / name) << "text";
  }
  std::ofstream(folder_ / "model-4.bin") << "weights";
  const auto found = training::find_checkpoints({(folder_ / "*").string()});
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].number, 4);
}

TEST_F(Checkpoints, WholeFormsAreWhole) {
  EXPECT_EQ(what_is_torn(write("a.pt", zip_archive())), "");
  EXPECT_EQ(what_is_torn(write("a.safetensors", safetensors(8))), "");
  EXPECT_EQ(what_is_torn(write("a.json", "{\"step\": 3}")), "");
  EXPECT_EQ(what_is_torn(write("a.bin", "anything")), "");
}

TEST_F(Checkpoints, TornFormsAreSeen) {
  const std::string zip = zip_archive();
  EXPECT_NE(what_is_torn(write("a.pt", zip.substr(0, zip.size() / 2))), "");
  EXPECT_NE(what_is_torn(write("b.pt", zip.substr(0, zip.size() - 1))), "");
  EXPECT_NE(what_is_torn(write("c.pt", std::string(100, '\0'))), "");
  EXPECT_NE(what_is_torn(write("d.pt", "")), "");
  EXPECT_NE(what_is_torn(write("e.zip", "no archive")), "");
  EXPECT_NE(what_is_torn(write("a.safetensors", safetensors(7))), "");
  EXPECT_NE(what_is_torn(write("b.safetensors", safetensors(8).substr(0, 20))), "");
  EXPECT_NE(what_is_torn(write("c.safetensors", std::string(64, '\0'))), "");
  EXPECT_NE(what_is_torn(write("a.json", "{\"step\":")), "");
}

TEST_F(Checkpoints, MissingShardIsSeen) {
  const std::string index = R"({"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}})";
  write("model-1.safetensors", safetensors(8));
  EXPECT_THAT(what_is_torn(write("model.safetensors.index.json", index)), HasSubstr("model-2.safetensors"));
  write("model-2.safetensors", safetensors(8));
  EXPECT_EQ(what_is_torn(folder_ / "model.safetensors.index.json"), "");
}

TEST_F(Checkpoints, NewestIsTheOneWithTheHighestNumberWhateverTheFileTimes) {
  write("ckpt-100.json", "{}");
  write("ckpt-20.json", "{}");
  fs::last_write_time(folder_ / "ckpt-20.json", fs::file_time_type::clock::now() + std::chrono::hours(1));
  const auto survey = survey_checkpoints(all("*.json"), {});
  EXPECT_EQ(survey.resume_from, (folder_ / "ckpt-100.json").string());
  EXPECT_EQ(survey.number, 100);
  EXPECT_EQ(survey.found, 2);
  EXPECT_EQ(survey.whole, 2);
}

TEST_F(Checkpoints, TornNewestIsMovedAsideAndTheOneBeforeUsed) {
  write("step_40.json", "{}");
  write("step_60.json", "{\"a");
  const fs::path quarantine = folder_ / "state" / "quarantine";
  EXPECT_EQ(survey_checkpoints(all("*.json"), {}).resume_from, (folder_ / "step_40.json").string());
  EXPECT_TRUE(fs::exists(folder_ / "step_60.json")) << "a look changes nothing";
  const auto survey = survey_checkpoints(all("*.json"), quarantine);
  EXPECT_EQ(survey.resume_from, (folder_ / "step_40.json").string());
  EXPECT_EQ(survey.set_aside.size(), 1U);
  EXPECT_FALSE(fs::exists(folder_ / "step_60.json"));
  EXPECT_TRUE(fs::exists(quarantine / "step_60.json.set-aside-1"));
}

TEST_F(Checkpoints, WholeNewestThatCrashesItsReadersIsMovedAsideOnlyWhenThereIsAnother) {
  write("step_40.json", "{}");
  write("step_60.json", "{}");
  const fs::path quarantine = folder_ / "quarantine";
  EXPECT_EQ(survey_checkpoints(all("*.json"), quarantine, true).resume_from, (folder_ / "step_40.json").string());
  EXPECT_EQ(survey_checkpoints(all("*.json"), quarantine, true).resume_from, (folder_ / "step_40.json").string());
}

TEST_F(Checkpoints, WholeOneThatWasNotToBlameIsPutBackUnlessANewOneLiesThere) {
  const fs::path newest = write("step_60.json", "{}");
  write("step_40.json", "{}");
  const auto survey = survey_checkpoints(all("*.json"), folder_ / "quarantine", true);
  ASSERT_FALSE(fs::exists(newest));
  EXPECT_TRUE(training::put_back(survey));
  EXPECT_TRUE(fs::exists(newest));
  const auto again = survey_checkpoints(all("*.json"), folder_ / "quarantine", true);
  write("step_60.json", "{\"new\": 1}");
  EXPECT_FALSE(training::put_back(again));
}

TEST_F(Checkpoints, FolderWithANumberIsOneCheckpoint) {
  write("run/checkpoint-500/model-00001-of-00002.safetensors", safetensors(8));
  write("run/checkpoint-500/model-00002-of-00002.safetensors", safetensors(5));
  write("run/checkpoint-400/model-00001-of-00002.safetensors", safetensors(8));
  const auto survey = survey_checkpoints(all("**/*.safetensors"), {});
  EXPECT_EQ(survey.resume_from, (folder_ / "run/checkpoint-400").string());
  EXPECT_EQ(survey.number, 400);
}

TEST_F(Checkpoints, ShardsOfOneNameAreOneCheckpoint) {
  write("step_9-00001-of-00002.json", "{}");
  write("step_9-00002-of-00002.json", "{");
  write("step_8-00001-of-00001.json", "{}");
  EXPECT_EQ(survey_checkpoints(all("*.json"), {}).number, 8);
}

TEST_F(Checkpoints, NothingThereIsNothingFound) {
  const auto survey = survey_checkpoints(all("**/*.pt"), {});
  EXPECT_EQ(survey.resume_from, "");
  EXPECT_FALSE(survey.number);
}

TEST_F(Checkpoints, SurveySurvivesItsJourneyFromTheHelper) {
  const training::CheckpointSurvey survey{.resume_from = "/a",
                                          .number = 7,
                                          .whole = 2,
                                          .found = 9,
                                          .set_aside = {"x"},
                                          .whole_from = "/f",
                                          .whole_to = "/t"};
  const auto back = training::CheckpointSurvey::from_json(survey.to_json());
  ASSERT_TRUE(back);
  EXPECT_EQ(back->resume_from, "/a");
  EXPECT_EQ(back->number, 7);
  EXPECT_EQ(back->whole, 2);
  EXPECT_EQ(back->found, 9);
  EXPECT_EQ(back->whole_from, "/f");
  EXPECT_EQ(back->whole_to, "/t");
  EXPECT_FALSE(training::CheckpointSurvey::from_json("junk"));
}

TEST(CheckpointNumber, WordsBeforeANumberDecideWhichOneCounts) {
  EXPECT_EQ(number_in_name("ckpt-40.pt"), 40);
  EXPECT_EQ(number_in_name("global_step1200"), 1200);
  EXPECT_EQ(number_in_name("epoch=3-step=1200.ckpt"), 1200);
  EXPECT_EQ(number_in_name("step_100_loss_0.23.pt"), 100);
  EXPECT_EQ(number_in_name("model_v2_300.pt"), 300);
  EXPECT_EQ(number_in_name("checkpoint-7-00001-of-00003.bin"), 7);
  EXPECT_EQ(number_in_name("final.pt"), std::nullopt);
}

TEST(StepWatch, HighestStepCounts) {
  training::StepWatch watch(R"(step[ =:]+(\d+))");
  EXPECT_FALSE(watch.best());
  for (const char* line : {"loading", "Step 12/200 loss 0.3", "global_step: 57", "step=13", "step none"})
    watch.see(line);
  EXPECT_EQ(watch.best(), 57);
  watch.see("step 99999999999999999999999");
  EXPECT_EQ(watch.best(), 57);
}

}  // namespace
