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

TEST(Redactor, SecretOfSeveralLinesIsTakenOutLineByLine) {
  base::Redactor redactor;
  redactor.add("-----BEGIN KEY-----\r\nAAAAaaaaBBBBbbbb\nno\n");
  EXPECT_EQ(redactor.redact("AAAAaaaaBBBBbbbb"), "[secret]");
  EXPECT_EQ(redactor.redact("-----BEGIN KEY-----\nAAAAaaaaBBBBbbbb\nno\n"), "[secret]\n[secret]\nno\n");
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

// The kept log writes such a line in pieces: wherever they end, no part of a secret is seen.
TEST_F(Kept, SecretWhereAPieceOfAnEndlessLineEndsIsTakenOutWhole) {
  for (std::size_t before = 0; before < 16; ++before) {
    KeptLog log(folder_, redactor_);
    for (int i = 0; i < 32; ++i) log.write(std::string(4096, '.'));
    log.write(std::string(before, '.') + "hunter22hunter2");
    for (int i = 0; i < 32; ++i) log.write((i == 0 ? "2" : ".") + std::string(4095, '.'));
    log.finish();
    EXPECT_THAT(content(), testing::MatchesRegex("[.]+.secret.[.]+\n")) << before;
    fs::remove_all(folder_);
  }
}

TEST_F(Kept, ProgressBarIsKeptAtEachCarriageReturn) {
  KeptLog log(folder_, redactor_);
  log.write(" 50%|hunter22hunter22\r100%|\r");
  EXPECT_EQ(content(), " 50%|[secret]\r100%|\r");
}

TEST_F(Kept, MarkBeginsALineWhateverWasPrintedBefore) {
  {
    KeptLog log(folder_, redactor_);
    log.write("100%|\r");
    log.mark("attempt 1");
    log.write("100%|\r");  // and killed
  }
  KeptLog log(folder_, redactor_);
  log.mark("attempt 2");
  log.finish();
  EXPECT_EQ(content(), "100%|\r\n--- podlaunch: attempt 1 ---\n100%|\r\n--- podlaunch: attempt 2 ---\n");
}

TEST_F(Kept, EachFileSaysWhatItsOutputIsOf) {
  KeptLog log(folder_, redactor_);
  log.mark("attempt 1");
  const std::string bar = std::string(1023, 'x') + "\r";
  for (std::size_t size = 0; size <= KeptLog::bytes_max; size += bar.size()) log.write(bar);
  log.mark("attempt 2");
  EXPECT_THAT(content(), testing::StartsWith("\n--- podlaunch: attempt 1 ---\nxxx"));
  EXPECT_THAT(content(), testing::EndsWith("xxx\r\n--- podlaunch: attempt 2 ---\n"));
}

TEST_F(Kept, FileThatIsDeletedIsBegunAnewWithWhatItsOutputIsOf) {
  KeptLog log(folder_, redactor_);
  log.mark("attempt 1");
  log.write("before\nand");
  fs::remove_all(folder_);
  log.write(" after\n");
  EXPECT_EQ(content(), "--- podlaunch: attempt 1 ---\nand after\n");
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
