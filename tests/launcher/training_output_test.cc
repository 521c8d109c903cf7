// What happens to the training's output: lines, redaction, the kept log and its cap.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "launcher/base/files.h"
#include "launcher/base/redaction.h"
#include "launcher/training/kept_log.h"
#include "launcher/training/lines.h"

namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using training::KeptLog;

TEST(Lines, PiecesJoinAndCarriageReturnsSplit) {
  training::Lines lines;
  std::vector<std::string> seen;
  const auto take = [&](std::string_view line) { seen.emplace_back(line); };
  lines.feed("one\ntw", take);
  lines.feed("o\r 50%|\rthree", take);
  EXPECT_THAT(seen, ElementsAre("one", "two", " 50%|"));
  lines.finish(take);
  EXPECT_THAT(seen, ElementsAre("one", "two", " 50%|", "three"));
}

TEST(Lines, EndlessLineStaysBounded) {
  training::Lines lines;
  std::size_t longest = 0;
  const auto take = [&](std::string_view line) { longest = std::max(longest, line.size()); };
  for (int i = 0; i < 100; ++i) lines.feed(std::string(10'000, 'x'), take);
  lines.finish(take);
  EXPECT_EQ(longest, training::Lines::length_max);
}

TEST(Redactor, SecretsAndTheirBeginningsAreTakenOut) {
  base::Redactor redactor;
  redactor.add("0123456789abcdefghij");
  EXPECT_EQ(redactor.redact("key 0123456789abcdefghij!"), "key [secret]!");
  EXPECT_EQ(redactor.redact("key 0123456789ab…"), "key [secret]…");
  EXPECT_EQ(redactor.redact("01234567"), "[secret]");
  EXPECT_EQ(redactor.redact("0123456 is a number"), "0123456 is a number");
}

TEST(Redactor, TooShortAValueWouldBlankEverything) {
  base::Redactor redactor;
  redactor.add("no");
  EXPECT_TRUE(redactor.empty());
}

class Kept : public testing::Test {
 protected:
  void SetUp() override { redactor_.add("hunter22hunter22"); }
  void TearDown() override { fs::remove_all(folder_); }
  std::string content(const std::string& name = "train.log") {
    return base::read_file((folder_ / name).string(), 64U << 20).value_or("");
  }

  const fs::path folder_ = fs::path(testing::TempDir()) / ("kept_" + std::to_string(::getpid()));
  base::Redactor redactor_;
};

TEST_F(Kept, SecretThatIsSplitOverTwoWritesIsTakenOut) {
  KeptLog log(folder_, redactor_);
  log.write("a\nkey hunter2");
  log.write("2hunter22 end\nlast");
  log.finish();
  EXPECT_EQ(content(), "a\nkey [secret] end\nlast\n");
}

TEST_F(Kept, SecretInAnEndlessLineIsTakenOut) {
  KeptLog log(folder_, redactor_);
  for (int i = 0; i < 30; ++i) log.write(std::string(4093, '.') + "hunter22hunter22");
  log.finish();
  EXPECT_THAT(content(), Not(HasSubstr("hunter22")));
  EXPECT_THAT(content(), HasSubstr("[secret]"));
}

TEST_F(Kept, LogsAreRotatedAndStayWithinTheirCap) {
  KeptLog log(folder_, redactor_);
  const std::string line = std::string(1023, 'x') + "\n";
  std::string block;
  for (int i = 0; i < 1024; ++i) block += line;
  constexpr std::size_t kMebibytesWritten = 100;
  for (std::size_t i = 0; i < kMebibytesWritten; ++i) log.write(block);
  log.write("newest\n");
  std::uintmax_t total = 0;
  int files = 0;
  for (const auto& entry : fs::directory_iterator(folder_)) {
    total += entry.file_size();
    ++files;
  }
  EXPECT_LE(total, KeptLog::bytes_max * KeptLog::files_max);
  EXPECT_EQ(files, KeptLog::files_max);
  EXPECT_THAT(content(), testing::EndsWith("newest\n"));
}

}  // namespace
