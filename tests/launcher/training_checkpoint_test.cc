#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <fstream>

#include "launcher/training/checkpoints/checkpoint.h"
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

std::uint64_t crc_of(const std::string& content) {
  return ::crc32_z(0, reinterpret_cast<const Bytef*>(content.data()), content.size());
}

// A zip archive with one member, as torch.save writes it: not packed. `wide` describes it the way large ones are.
std::string zip_archive(const std::string& content = "some weights", bool wide = false) {
  const std::string crc = little_endian(crc_of(content), 4);
  const std::string size = little_endian(content.size(), 4);
  const std::string local = "PK\x03\x04" + std::string(10, '\0') + crc + size + size + little_endian(1, 2) +
                            little_endian(0, 2) + "a" + content;
  const std::string extra = wide ? little_endian(1, 2) + little_endian(16, 2) + little_endian(content.size(), 8) +
                                       little_endian(content.size(), 8)
                                 : std::string();
  const std::string said = wide ? little_endian(0xffffffff, 4) : size;
  const std::string directory = "PK\x01\x02" + std::string(12, '\0') + crc + said + said + little_endian(1, 2) +
                                little_endian(extra.size(), 2) + std::string(14, '\0') + "a" + extra;
  const std::string wide_end = "PK\x06\x06" + little_endian(44, 8) + std::string(12, '\0') + little_endian(1, 8) +
                               little_endian(1, 8) + little_endian(directory.size(), 8) +
                               little_endian(local.size(), 8) + "PK\x06\x07" + std::string(4, '\0') +
                               little_endian(local.size() + directory.size(), 8) + little_endian(1, 4);
  const std::string place =
      wide ? std::string(8, '\xff') : little_endian(directory.size(), 4) + little_endian(local.size(), 4);
  return local + directory + (wide ? wide_end : "") + "PK\x05\x06" + std::string(4, '\0') + little_endian(1, 2) +
         little_endian(1, 2) + place + little_endian(0, 2);
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
  const auto survey = survey_checkpoints(all("*.json"));
  EXPECT_EQ(survey.resume_from, (folder_ / "ckpt-100.json").string());
  EXPECT_EQ(survey.number, 100);
  EXPECT_EQ(survey.found, 2);
  EXPECT_EQ(survey.whole, 2);
}

TEST_F(Checkpoints, TornNewestIsMovedAsideAndTheOneBeforeUsed) {
  write("step_40.json", "{}");
  write("step_60.json", "{\"a");
  const fs::path quarantine = folder_ / "state" / "quarantine";
  EXPECT_EQ(survey_checkpoints(all("*.json")).resume_from, (folder_ / "step_40.json").string());
  EXPECT_TRUE(fs::exists(folder_ / "step_60.json")) << "a look changes nothing";
  const auto survey = survey_checkpoints(all("*.json"), {.quarantine = quarantine});
  EXPECT_EQ(survey.resume_from, (folder_ / "step_40.json").string());
  EXPECT_EQ(survey.set_aside.size(), 1U);
  EXPECT_FALSE(fs::exists(folder_ / "step_60.json"));
  EXPECT_TRUE(fs::exists(quarantine / "step_60.json.set-aside-1"));
}

TEST_F(Checkpoints, WholeNewestThatCrashesItsReadersIsMovedAsideOnlyWhenThereIsAnother) {
  write("step_40.json", "{}");
  write("step_60.json", "{}");
  const fs::path quarantine = folder_ / "quarantine";
  EXPECT_EQ(survey_checkpoints(all("*.json"), {.quarantine = quarantine, .skip_newest = true}).resume_from,
            (folder_ / "step_40.json").string());
  EXPECT_EQ(survey_checkpoints(all("*.json"), {.quarantine = quarantine, .skip_newest = true}).resume_from,
            (folder_ / "step_40.json").string());
}

TEST_F(Checkpoints, WholeOneThatWasNotToBlameIsPutBackUnlessANewOneLiesThere) {
  const fs::path newest = write("step_60.json", "{}");
  write("step_40.json", "{}");
  const auto survey = survey_checkpoints(all("*.json"), {.quarantine = folder_ / "quarantine", .skip_newest = true});
  ASSERT_FALSE(fs::exists(newest));
  EXPECT_TRUE(training::put_back(survey));
  EXPECT_TRUE(fs::exists(newest));
  const auto again = survey_checkpoints(all("*.json"), {.quarantine = folder_ / "quarantine", .skip_newest = true});
  write("step_60.json", "{\"new\": 1}");
  EXPECT_FALSE(training::put_back(again));
}

TEST_F(Checkpoints, FolderWithANumberIsOneCheckpoint) {
  write("run/checkpoint-500/model-00001-of-00002.safetensors", safetensors(8));
  write("run/checkpoint-500/model-00002-of-00002.safetensors", safetensors(5));
  write("run/checkpoint-400/model-00001-of-00002.safetensors", safetensors(8));
  write("run/checkpoint-400/model-00002-of-00002.safetensors", safetensors(8));
  const auto survey = survey_checkpoints(all("**/*.safetensors"));
  EXPECT_EQ(survey.resume_from, (folder_ / "run/checkpoint-400").string());
  EXPECT_EQ(survey.number, 400);
}

TEST_F(Checkpoints, ShardsOfOneNameAreOneCheckpoint) {
  write("step_9-00001-of-00002.json", "{}");
  write("step_9-00002-of-00002.json", "{");
  write("step_8-00001-of-00001.json", "{}");
  EXPECT_EQ(survey_checkpoints(all("*.json")).number, 8);
}

TEST_F(Checkpoints, HoleOfZerosPassesTheDirectoryAndNotTheChecksums) {
  for (const bool wide : {false, true}) {
    std::string archive = zip_archive(std::string(20'000, 'w'), wide);
    const fs::path file = write("step_60.pt", archive);
    EXPECT_EQ(what_is_torn(file, {.checksums = true}), "") << wide;
    archive.replace(8'192, 4'096, std::string(4'096, '\0'));
    write("step_60.pt", archive);
    EXPECT_EQ(what_is_torn(file), "") << wide;
    EXPECT_THAT(what_is_torn(file, {.checksums = true}), HasSubstr("checksum")) << wide;
    // Out of time: not read is not torn.
    EXPECT_EQ(what_is_torn(file, {.checksums = true, .checksums_until = base::Clock::now()}), "") << wide;
  }
}

TEST_F(Checkpoints, ArchiveOfARealPackerIsWholeAndItsPackedMembersAreChecked) {
  const std::string make = "cd " + folder_.string() +
                           " && python3 -c \"import zipfile; z = zipfile.ZipFile('step_5.zip', 'w', "
                           "zipfile.ZIP_DEFLATED); z.writestr('a', bytes(range(256)) * 999); z.writestr('b', 'x'); "
                           "z.close()\"";
  ASSERT_EQ(std::system(make.c_str()), 0);
  const fs::path file = folder_ / "step_5.zip";
  EXPECT_EQ(what_is_torn(file, {.checksums = true}), "");
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekp(200).write("\0\0\0\0\0\0\0\0", 8);
  stream.close();
  EXPECT_EQ(what_is_torn(file), "");
  EXPECT_THAT(what_is_torn(file, {.checksums = true}), HasSubstr("checksum"));
}

TEST_F(Checkpoints, FolderIsJudgedWithAllThatIsInItAndMovedAsAWhole) {
  for (const char* number : {"400", "500"}) {
    write(std::string("run/checkpoint-") + number + "/model.safetensors", safetensors(8));
    write(std::string("run/checkpoint-") + number + "/trainer_state.json", "{}");
    write(std::string("run/checkpoint-") + number + "/lock", "");
  }
  write("run/checkpoint-500/optimizer.pt", zip_archive().substr(0, 40));  // no pattern matches it
  const auto survey = survey_checkpoints(all("**/*.safetensors"), {.quarantine = folder_ / "quarantine"});
  EXPECT_EQ(survey.resume_from, (folder_ / "run/checkpoint-400").string());
  EXPECT_FALSE(fs::exists(folder_ / "run/checkpoint-500"));
  EXPECT_TRUE(fs::exists(folder_ / "quarantine/checkpoint-500.set-aside-1/model.safetensors"));
  EXPECT_TRUE(fs::exists(folder_ / "quarantine/checkpoint-500.set-aside-1/optimizer.pt"));
  // What lies in quarantine is nobody's checkpoint any more, though the pattern reaches there.
  EXPECT_EQ(survey_checkpoints(all("**/*.safetensors")).found, 1);
}

TEST_F(Checkpoints, FolderWithinAFolderOfTheSameStepIsOneCheckpoint) {
  write("checkpoint-7/global_step7/rank0.pt", zip_archive());
  write("checkpoint-7/model.pt", zip_archive());
  write("epoch_1/checkpoint-8/model.pt", zip_archive());
  const auto found = training::find_checkpoints(all("**/*.pt"));
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].path, folder_ / "checkpoint-7");
  EXPECT_EQ(found[0].files.size(), 2U);
  EXPECT_EQ(found[1].path, folder_ / "epoch_1/checkpoint-8");
}

TEST_F(Checkpoints, PatternOfFoldersFindsCheckpointsAndPassesOverLogs) {
  write("out/step_20/weights.pt", zip_archive());
  write("out/final/model.safetensors", safetensors(8));
  write("out/wandb/run-20260101/files.txt", "x");
  write("out/tmp-checkpoint-90/model.pt", zip_archive());
  fs::create_directories(folder_ / "out/step_30");
  const auto survey = survey_checkpoints(all("out/*"));
  EXPECT_EQ(survey.found, 3);
  EXPECT_EQ(survey.resume_from, (folder_ / "out/step_20").string()) << "step_30 is empty";
}

TEST_F(Checkpoints, MissingShardOfANumberedSetIsSeenAndTheRestMovedTogether) {
  write("step_9-00001-of-00003.bin", "x");
  write("step_9-00003-of-00003.bin", "x");
  write("step_8-00001-of-00001.bin", "x");
  const auto survey = survey_checkpoints(all("*.bin"), {.quarantine = folder_ / "quarantine"});
  EXPECT_EQ(survey.number, 8);
  ASSERT_EQ(survey.set_aside.size(), 1U);
  EXPECT_THAT(survey.set_aside[0], HasSubstr("step_9-00002-of-00003.bin is missing"));
  const fs::path set = folder_ / "quarantine/step_9-00001-of-00003.bin.set-aside-1";
  EXPECT_TRUE(fs::exists(set / "step_9-00001-of-00003.bin"));
  EXPECT_TRUE(fs::exists(set / "step_9-00003-of-00003.bin"));
}

TEST_F(Checkpoints, SetThatWasNotToBlameIsPutBackTogether) {
  for (const char* name : {"step_9-00001-of-00002.bin", "step_9-00002-of-00002.bin", "step_8-00001-of-00001.bin"})
    write(name, "x");
  const training::SurveyWay way{.quarantine = folder_ / "quarantine", .skip_newest = true, .closeness = {}};
  const auto survey = survey_checkpoints(all("*.bin"), way);
  EXPECT_EQ(survey.number, 8);
  ASSERT_FALSE(fs::exists(folder_ / "step_9-00001-of-00002.bin"));
  EXPECT_TRUE(training::put_back(*training::CheckpointSurvey::from_json(survey.to_json())));
  EXPECT_EQ(survey_checkpoints(all("*.bin")).number, 9);
}

TEST_F(Checkpoints, IndexBelongsToItsShardsThoughNoPatternMatchesIt) {
  write("model-00001-of-00001.safetensors", safetensors(8));
  write("model.safetensors.index.json", R"({"weight_map": {"a": "gone.safetensors"}})");
  EXPECT_EQ(survey_checkpoints(all("*.safetensors")).whole, 0);
}

TEST_F(Checkpoints, DistributedCheckpointNeedsItsMetadataAndEveryFileThatItNames) {
  write("step-1/__0_0.distcp", zip_archive());
  EXPECT_EQ(survey_checkpoints(all("step-*")).whole, 0) << ".metadata is written last";
  write("step-1/.metadata", "pickle __0_0.distcp and __1_0.distcp");
  EXPECT_EQ(survey_checkpoints(all("step-*")).whole, 0);
  write("step-1/__1_0.distcp", zip_archive());
  EXPECT_EQ(survey_checkpoints(all("step-*")).whole, 1);
  EXPECT_EQ(survey_checkpoints(all("**/.metadata")).resume_from, (folder_ / "step-1").string());
}

// As torch.distributed.checkpoint writes them: torch.save once for each tensor, into one file.
TEST_F(Checkpoints, DistributedFileIsARowOfArchives) {
  const std::string first = zip_archive("one tensor"), wide = zip_archive("another", true), last = zip_archive("last");
  const training::Closeness close{.checksums = true, .checksums_until = base::Clock::now() + base::Seconds(60)};
  const std::string row = first + wide + last;
  EXPECT_EQ(what_is_torn(write("__0_0.distcp", row), close), "");
  for (std::size_t length = 5; length < row.size(); ++length) {
    const bool between = length == first.size() || length == first.size() + wide.size();  // .metadata knows better
    EXPECT_EQ(what_is_torn(write("__0_0.distcp", row.substr(0, length)), close).empty(), between) << length;
  }
  for (const std::string_view content : {"one tensor", "another", "last"}) {
    std::string flipped = row;
    flipped[row.find(content)] ^= 1;
    EXPECT_THAT(what_is_torn(write("__0_0.distcp", flipped), close), HasSubstr("does not match its checksum"));
  }
  EXPECT_NE(what_is_torn(write("__0_0.distcp", "PK\x03\x04 torn" + last), close), "");
}

TEST_F(Checkpoints, FolderWithoutTheMarkThatOthersCarryIsUnfinished) {
  write("step-1/state.dat", "x");
  EXPECT_EQ(survey_checkpoints(all("step-*")).number, 1) << "nobody here uses marks";
  write("step-2/state.dat", "x");
  write("step-2/_SUCCESS", "");
  write("step-3/state.dat", "x");
  const auto survey = survey_checkpoints(all("step-*"), {.quarantine = folder_ / "quarantine"});
  EXPECT_EQ(survey.number, 2);
  EXPECT_THAT(survey.set_aside.at(0), HasSubstr("_SUCCESS"));
}

TEST_F(Checkpoints, SeveralOfWhichNoneIsWholeStayWhereTheyAre) {
  write("step-1.pt", "PK\x03\x04 torn");
  training::SurveyWay way{.quarantine = folder_ / "quarantine"};
  EXPECT_EQ(survey_checkpoints(all("*.pt"), way).set_aside.size(), 1U) << "a first save that was cut off";
  for (const char* name : {"step-1.pt", "step-2.pt", "step-3.pt"}) write(name, "PK\x03\x04 torn");
  auto survey = survey_checkpoints(all("*.pt"), way);
  EXPECT_EQ(survey.set_aside.size(), 0U);
  EXPECT_THAT(survey.unusable, testing::ElementsAre(HasSubstr("step-3.pt: the zip"), HasSubstr("step-2.pt: "),
                                                    HasSubstr("step-1.pt: ")));
  EXPECT_TRUE(fs::exists(folder_ / "step-3.pt"));
  way.even_all = true;
  survey = survey_checkpoints(all("*.pt"), way);
  EXPECT_EQ(survey.set_aside.size(), 3U);
  EXPECT_FALSE(fs::exists(folder_ / "step-3.pt"));
}

TEST_F(Checkpoints, NothingThereIsNothingFound) {
  const auto survey = survey_checkpoints(all("**/*.pt"));
  EXPECT_EQ(survey.resume_from, "");
  EXPECT_FALSE(survey.number);
}

TEST_F(Checkpoints, SurveySurvivesItsJourneyFromTheHelper) {
  const training::CheckpointSurvey survey{.resume_from = "/a",
                                          .number = 7,
                                          .whole = 2,
                                          .found = 9,
                                          .set_aside = {"x"},
                                          .unusable = {"y"},
                                          .whole_from = "/f",
                                          .whole_to = "/t",
                                          .whole_names = {"n"}};
  const auto back = training::CheckpointSurvey::from_json(survey.to_json());
  ASSERT_TRUE(back);
  EXPECT_EQ(back->resume_from, "/a");
  EXPECT_EQ(back->number, 7);
  EXPECT_EQ(back->whole, 2);
  EXPECT_EQ(back->found, 9);
  EXPECT_EQ(back->set_aside, survey.set_aside);
  EXPECT_EQ(back->unusable, survey.unusable);
  EXPECT_EQ(back->whole_from, "/f");
  EXPECT_EQ(back->whole_to, "/t");
  EXPECT_EQ(back->whole_names, std::vector<std::string>{"n"});
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
