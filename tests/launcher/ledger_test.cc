#include "launcher/ledger/ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <functional>
#include <random>
#include <sstream>
#include <thread>

#include "launcher/ledger/record.h"

namespace ledger {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
namespace fs = std::filesystem;

class LedgerTest : public ::testing::Test {
 protected:
  LedgerTest() {
    // In memory where there is such a place: these tests are about bytes, and a slow disk would sync for seconds.
    const bool memory = fs::is_directory("/dev/shm") && ::access("/dev/shm", W_OK) == 0;
    std::string name = memory ? "/dev/shm/ledger_test_XXXXXX" : "/tmp/ledger_test_XXXXXX";
    folder_ = ::mkdtemp(name.data());
    path_ = folder_ / "ledger.jsonl";
  }
  ~LedgerTest() override { fs::remove_all(folder_); }

  Ledger open() {
    auto ledger = Ledger::open(path_);
    EXPECT_TRUE(ledger) << ledger.error().message();
    return std::move(*ledger);
  }
  // As the launcher does it: decide, write, and only then believe it.
  static void see(Ledger& ledger, const policy::Observation& observation, Facts facts = {}) {
    const auto decision = policy::decide(ledger.memory().history, observation, policy::Limits{});
    Record record;
    record.step = Step{observation, decision};
    record.facts = std::move(facts);
    const auto written = ledger.append(record);
    ASSERT_TRUE(written) << written.error().message();
  }
  void write_boots(int count) {
    Ledger ledger = open();
    for (int i = 0; i < count; ++i) see(ledger, policy::BootBegan{1, 1});
  }
  void write_note(Ledger& ledger, std::string text) {
    Record record;
    record.kind = "note";
    record.facts.text = std::move(text);
    ASSERT_TRUE(ledger.append(record));
  }
  std::uint64_t boots_read() {
    auto opened = read(path_);
    EXPECT_TRUE(opened) << opened.error().message();
    return opened ? opened->memory.boots : 0;
  }
  std::string content() {
    std::stringstream text;
    text << std::ifstream(path_).rdbuf();
    return text.str();
  }
  void replace(const std::string& text) { std::ofstream(path_, std::ios::trunc | std::ios::binary) << text; }
  void cut(std::size_t bytes) { replace(content().substr(0, content().size() - bytes)); }
  void flip(std::size_t line, std::size_t offset) {
    std::string text = content();
    std::size_t at = 0;
    for (std::size_t i = 0; i < line; ++i) at = text.find('\n', at) + 1;
    text[at + offset] ^= 0x20;
    replace(text);
  }

  fs::path folder_;
  fs::path path_;
};

// --- Reading back --------------------------------------------------------------------------------------------------

TEST_F(LedgerTest, MissingLedgerIsEmpty) {
  const auto opened = read(path_);
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->memory.boots, 0U);
  EXPECT_FALSE(fs::exists(path_));
}

TEST_F(LedgerTest, ReopenedLedgerRemembersTheSame) {
  Ledger ledger = open();
  see(ledger, policy::BootBegan{11, 12}, {.pod = "pod-a", .host = "host-a"});
  see(ledger, policy::CommitSeen{13});
  see(ledger, policy::AttemptBegan{});
  see(ledger, policy::Progressed{}, {.commit = "abc", .checkpoint = "/out/120.pt", .step = 120});
  see(ledger, policy::TimePassed{500});
  see(ledger, policy::AttemptEnded{policy::Cause::kEnvironment, 77, true}, {.text = "CUDA error", .status = "exit 1"});
  see(ledger, policy::TimePassed{100});
  const Ledger again = open();
  EXPECT_EQ(again.memory().history, ledger.memory().history);
  EXPECT_EQ(again.memory().boots, 1U);
  EXPECT_EQ(again.memory().attempts, 1U);
  EXPECT_EQ(again.memory().best_step, 120);
  EXPECT_EQ(again.memory().best_checkpoint, "/out/120.pt");
  EXPECT_EQ(again.memory().checkpoint_commit, "abc");
  EXPECT_EQ(again.memory().last_failure, "CUDA error");
  EXPECT_EQ(again.memory().last_pod, "pod-a");
  EXPECT_EQ(again.memory().history.seconds_used, 500U);
  EXPECT_EQ(again.memory().history.seconds_paid, 600U);
  EXPECT_THAT(again.notes(), IsEmpty());
}

TEST_F(LedgerTest, HoldIsRememberedWithWhatItWasHeldUnder) {
  Ledger ledger = open();
  see(ledger, policy::BootBegan{11, 12});
  see(ledger, policy::CommitSeen{13});
  for (int i = 0; i < 3; ++i) {
    see(ledger, policy::AttemptBegan{});
    see(ledger, policy::AttemptEnded{policy::Cause::kDeterministic, 5});
  }
  const policy::HoldRecord expected{policy::HoldReason::kSameFailure, 11, 13, 12};
  EXPECT_EQ(open().memory().history.hold, expected);
}

TEST_F(LedgerTest, FinishedIsRemembered) {
  Ledger ledger = open();
  see(ledger, policy::BootBegan{1, 1});
  see(ledger, policy::AttemptBegan{});
  see(ledger, policy::AttemptEnded{policy::Cause::kFinished, 0});
  EXPECT_TRUE(open().memory().history.finished);
}

std::vector<policy::Observation> one_of_each_observation() {
  using namespace policy;
  return {BootBegan{1, 2, true, true},
          PhaseFailed{Phase::kCheckpoints, Cause::kTransient, ~0ULL},
          Blocked{Obstacle::kStopUnsafe},
          AttemptBegan{},
          Progressed{},
          AttemptEnded{Cause::kPreempted, 3, true},
          Preempted{},
          TimePassed{4},
          LedgerFailed{LedgerTrouble::kHung},
          ClockStrange{},
          ConclusionFailed{Conclusion::kStop},
          CommitSeen{5},
          ObstacleCleared{},
          ResumeAsked{}};
}

std::vector<policy::Decision> one_of_each_decision() {
  using namespace policy;
  std::vector<Decision> decisions = {Run{true}, Retry{1, 2}, TryOlderCheckpoint{3, 4}, Finish{}, Leave{}};
  for (int i = 0; i < hold_reason_count; ++i) {
    const Hold hold = hold_for(static_cast<HoldReason>(i));
    decisions.push_back(hold);
    decisions.push_back(Exit{hold.reason, exit_code(hold.reason), hold.cause, hold.remedy});
  }
  return decisions;
}

TEST(Record, EveryObservationAndDecisionReadsBackAsWritten) {
  ASSERT_EQ(one_of_each_observation().size(), std::variant_size_v<policy::Observation>);
  for (const auto& observation : one_of_each_observation()) {
    for (const auto& decision : one_of_each_decision()) {
      Record record;
      record.number = 3;
      record.step = Step{observation, decision};
      record.facts = {.pod = "p", .text = "tab\tquote\"", .step = -1};
      const std::string text = to_line(record);
      const Line line = parse_line(std::string_view(text).substr(0, text.size() - 1));
      ASSERT_EQ(line.kind, Line::Kind::kRecord) << text;
      EXPECT_EQ(line.record.facts, record.facts);
      EXPECT_EQ(to_line(line.record), text);
    }
  }
}

// --- Damage --------------------------------------------------------------------------------------------------------

TEST_F(LedgerTest, TornTailIsCutAndReported) {
  write_boots(3);
  cut(5);
  EXPECT_THAT(open().notes(), Contains(HasSubstr("not written out")));
  EXPECT_EQ(boots_read(), 2U);
  EXPECT_EQ(content().back(), '\n');
}

TEST_F(LedgerTest, MissingNewlineAloneIsATornTail) {
  write_boots(3);
  cut(1);
  EXPECT_EQ(boots_read(), 2U);
}

TEST_F(LedgerTest, DamagedLineBetweenGoodOnesIsSkippedAndReported) {
  write_boots(3);
  flip(1, 60);
  EXPECT_THAT(open().notes(), Contains(HasSubstr("1 damaged line")));
  EXPECT_EQ(boots_read(), 2U);
}

TEST_F(LedgerTest, DamagedChecksumIsDamage) {
  write_boots(3);
  flip(0, 10);
  EXPECT_EQ(boots_read(), 2U);
}

TEST_F(LedgerTest, LostNewlineCostsTheTwoLinesItJoins) {
  write_boots(4);
  std::string text = content();
  text.erase(text.find('\n'), 1);
  replace(text);
  EXPECT_EQ(boots_read(), 2U);
}

TEST_F(LedgerTest, ZeroedHoleIsSkipped) {
  write_boots(4);
  std::string text = content();
  std::fill_n(text.begin() + 50, 100, '\0');
  replace(text);
  EXPECT_EQ(boots_read(), 3U);
}

TEST_F(LedgerTest, ZeroesAfterTheEndAreCut) {
  write_boots(2);
  replace(content() + std::string(4096, '\0'));
  EXPECT_EQ(open().memory().boots, 2U);
  EXPECT_EQ(content().find('\0'), std::string::npos);
}

TEST_F(LedgerTest, AppendAfterATornTailReadsBack) {
  write_boots(2);
  cut(7);
  write_boots(1);
  EXPECT_EQ(boots_read(), 2U);
}

TEST_F(LedgerTest, WhollyZeroedLedgerIsRefusedAndLeftAlone) {
  write_boots(3);
  replace(std::string(content().size(), '\0'));
  const auto ledger = Ledger::open(path_);
  ASSERT_FALSE(ledger);
  EXPECT_EQ(ledger.error().code, base::ErrorCode::kDamaged);
  EXPECT_FALSE(ledger.error().remedy.empty());
  EXPECT_EQ(content().find_first_not_of('\0'), std::string::npos);
}

TEST_F(LedgerTest, StartingAnewKeepsTheDamagedFile) {
  replace("not a ledger\n");
  ASSERT_FALSE(Ledger::open(path_));
  ASSERT_TRUE(Ledger::start_anew(path_));
  EXPECT_TRUE(fs::exists(path_.string() + ".damaged-1"));
  replace("again not a ledger\n");
  ASSERT_TRUE(Ledger::start_anew(path_));
  EXPECT_TRUE(fs::exists(path_.string() + ".damaged-2"));
}

TEST_F(LedgerTest, VeryFirstLineTornIsAnEmptyLedger) {
  write_boots(1);
  cut(20);
  EXPECT_EQ(open().memory().boots, 0U);
}

TEST_F(LedgerTest, FolderInItsPlaceIsAnError) {
  fs::create_directory(path_);
  EXPECT_FALSE(Ledger::open(path_));
  EXPECT_FALSE(read(path_));
}

TEST_F(LedgerTest, RepeatedNumbersAreReported) {
  write_boots(2);
  replace(content() + content());
  EXPECT_THAT(open().notes(), Contains(HasSubstr("two launchers")));
}

// --- Versions ------------------------------------------------------------------------------------------------------

// The line with one thing changed and a checksum that vouches for it.
std::string with_right_crc(const std::string& record, const std::string& from, const std::string& to) {
  // Finds the checksum that makes the changed line valid by asking the parser: a CRC of 0 bits is linear, so write it
  // anew.
  std::string body = record.substr(record.find("\"record\":") + 9);
  body.resize(body.rfind('}'));
  body.replace(body.find(from), from.size(), to);
  std::uint32_t crc = 0xffffffffU;
  for (const char byte : body) {
    crc ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320U : 0U);
  }
  char digits[9];
  std::snprintf(digits, sizeof digits, "%08x", ~crc);
  return "{\"crc\":\"" + std::string(digits) + "\",\"record\":" + body + "}\n";
}

TEST_F(LedgerTest, UnknownKindIsKeptAndSkipped) {
  write_boots(2);
  const std::string line = content().substr(0, content().find('\n') + 1);
  replace(content() + with_right_crc(line, "boot-began", "heartbeat2"));
  EXPECT_THAT(open().notes(), Contains(HasSubstr("newer podlaunch")));
  EXPECT_EQ(boots_read(), 2U);
  EXPECT_THAT(content(), HasSubstr("heartbeat2"));
}

TEST_F(LedgerTest, UnknownFieldIsIgnored) {
  write_boots(1);
  replace(with_right_crc(content(), "\"configuration\":1", "\"configuration\":1,\"colour\":[1,{}]"));
  EXPECT_EQ(boots_read(), 1U);
}

TEST_F(LedgerTest, LedgerThatCannotBeOpenedSaysWhatToDo) {
  fs::create_symlink("ledger.jsonl", path_);
  EXPECT_THAT(Ledger::open(path_).error().message(), HasSubstr(". A symbolic link there leads nowhere: remove it."));
}

TEST_F(LedgerTest, NewerFormatIsRefused) {
  write_boots(1);
  replace(with_right_crc(content(), "\"v\":1", "\"v\":2"));
  const auto ledger = Ledger::open(path_);
  ASSERT_FALSE(ledger);
  EXPECT_EQ(ledger.error().code, base::ErrorCode::kUnsupported);
}

TEST_F(LedgerTest, IntactLineOfTheWrongShapeIsDamage) {
  write_boots(2);
  const std::string line = content().substr(0, content().find('\n') + 1);
  replace(content() + with_right_crc(line, "\"boot-began\"", "[1]"));
  EXPECT_EQ(boots_read(), 2U);
}

// --- Growth --------------------------------------------------------------------------------------------------------

TEST_F(LedgerTest, CompactionKeepsWhatIsRememberedAndBoundsTheSize) {
  Ledger ledger = open();
  see(ledger, policy::BootBegan{1, 1}, {.pod = "pod-a"});
  see(ledger, policy::Progressed{}, {.checkpoint = "/out/7.pt", .step = 7});
  policy::History expected = ledger.memory().history;
  std::uintmax_t largest = 0;
  for (int i = 0; i < 1200; ++i) {
    write_note(ledger, std::string(900, 'x'));
    largest = std::max(largest, fs::file_size(path_));
  }
  EXPECT_LT(largest, 600U << 10);
  const Ledger again = open();
  EXPECT_LE(fs::file_size(path_), 256U << 10);
  EXPECT_EQ(again.memory().history, expected);
  EXPECT_EQ(again.memory().boots, 1U);
  EXPECT_EQ(again.memory().best_step, 7);
  EXPECT_EQ(again.memory().last_pod, "pod-a");
  EXPECT_THAT(again.notes(), IsEmpty());
  // The ledger, and the number of its newest record.
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 2);
}

TEST_F(LedgerTest, CompactionKeepsRecordsOfANewerVersion) {
  write_boots(1);
  const std::string line = content().substr(0, content().find('\n') + 1);
  replace(content() + with_right_crc(line, "boot-began", "heartbeat2"));
  Ledger ledger = open();
  for (int i = 0; i < 1000; ++i) write_note(ledger, std::string(900, 'x'));
  EXPECT_THAT(content(), HasSubstr("heartbeat2"));
  EXPECT_EQ(boots_read(), 1U);
}

TEST_F(LedgerTest, LongTextIsCut) {
  Ledger ledger = open();
  write_note(ledger, std::string(1 << 20, 'x'));
  EXPECT_LT(content().size(), 2000U);
}

TEST_F(LedgerTest, TextThatIsNotUtf8IsWritten) {
  Ledger ledger = open();
  write_note(ledger, "half a letter: \xc3");
  EXPECT_EQ(read(path_)->records.size(), 1U);
}

TEST_F(LedgerTest, EveryTextIsRedacted) {
  auto ledger = Ledger::open(
      path_, [](std::string_view text) { return text == "hunter2" ? std::string("[redacted]") : std::string(text); });
  ASSERT_TRUE(ledger);
  Record record;
  record.kind = "note";
  record.facts = {"hunter2", "hunter2", "hunter2", "hunter2", "hunter2", "hunter2", "hunter2", {}};
  ASSERT_TRUE(ledger->append(record));
  EXPECT_THAT(content(), ::testing::Not(HasSubstr("hunter2")));
}

// --- Writing -------------------------------------------------------------------------------------------------------

TEST_F(LedgerTest, FailedWriteLeavesTheRecordsBeforeIt) {
  Ledger ledger = open();
  see(ledger, policy::BootBegan{1, 1});
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  rlimit tight = before;
  tight.rlim_cur = fs::file_size(path_) + 10;  // a record fits in part only
  ::setrlimit(RLIMIT_FSIZE, &tight);
  Record record;
  record.step = Step{policy::BootBegan{2, 2}, policy::Run{}};
  const auto failed = ledger.append(record);
  ::setrlimit(RLIMIT_FSIZE, &before);
  ASSERT_FALSE(failed);
  EXPECT_EQ(ledger.memory().boots, 1U);
  EXPECT_EQ(boots_read(), 1U);
  see(ledger, policy::BootBegan{1, 1});
  EXPECT_EQ(boots_read(), 2U);
  EXPECT_THAT(open().notes(), IsEmpty());
}

// A power cut may leave zeros for what was written in place, and zeros alone are a ledger that has lost its records.
TEST_F(LedgerTest, FirstRecordComesWithItsFile) {
  Ledger ledger = open();
  const fs::path created = path_.string() + ".created";
  fs::create_hard_link(path_, created);
  see(ledger, policy::BootBegan{1, 1});
  EXPECT_EQ(fs::file_size(created), 0U);
  EXPECT_EQ(boots_read(), 1U);
  see(ledger, policy::BootBegan{1, 1});
  EXPECT_EQ(boots_read(), 2U);
}

TEST_F(LedgerTest, FileThatIsDeletedOrCutWhileItIsOpenIsWrittenAnew) {
  const fs::path folder = folder_ / "run";
  path_ = folder / "ledger.jsonl";
  const std::vector<std::function<void()>> losses = {[&] { fs::remove(path_); }, [&] { fs::remove_all(folder); },
                                                     [&] { fs::resize_file(path_, 0); },
                                                     [&] { fs::resize_file(path_, fs::file_size(path_) - 5); }};
  fs::create_directory(folder);
  Ledger ledger = open();
  see(ledger, policy::BootBegan{1, 1});
  std::uint64_t boots = 1;
  for (const auto& lose : losses) {
    lose();
    see(ledger, policy::BootBegan{1, 1});
    see(ledger, policy::BootBegan{1, 1});
    boots += 2;
    EXPECT_EQ(boots_read(), boots);
    EXPECT_EQ(read(path_)->records.back().number, boots);
    EXPECT_THAT(read(path_)->notes, IsEmpty());
    EXPECT_THAT(ledger.notes().back(), HasSubstr("written anew"));
  }
  EXPECT_EQ(ledger.notes().size(), losses.size());
  fs::remove_all(folder);
  ledger.tend();
  EXPECT_EQ(boots_read(), boots);
  const std::string tended = content();
  ledger.tend();
  EXPECT_EQ(content(), tended);
}

TEST_F(LedgerTest, FileThatWasPutInItsPlaceIsLeftAlone) {
  Ledger ledger = open();
  see(ledger, policy::BootBegan{1, 1});
  std::ofstream(folder_ / "other") << "another launcher's\n";
  fs::rename(folder_ / "other", path_);
  Record record;
  record.kind = "note";
  const auto refused = ledger.append(record);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message(), HasSubstr("another file in its place"));
  EXPECT_EQ(content(), "another launcher's\n");
}

TEST_F(LedgerTest, LauncherThatOutlivesTheFileBringsWhatItRemembers) {
  Ledger before = open();
  for (int i = 0; i < 3; ++i) see(before, policy::BootBegan{1, 1});
  fs::remove(path_);
  Ledger after = open();
  after.go_on_from(before.memory());
  see(after, policy::Preempted{});
  EXPECT_EQ(boots_read(), 3U);
  EXPECT_EQ(open().memory().history, after.memory().history);
  // One that has a record is newer than what anybody remembers.
  Ledger again = open();
  again.go_on_from(Memory());
  EXPECT_EQ(again.memory().boots, 3U);
}

TEST_F(LedgerTest, CanBeReadWhileItIsWritten) {
  Ledger ledger = open();
  std::uint64_t newest = 0;
  std::thread writer([&] {
    for (int i = 0; i < 900; ++i) write_note(ledger, std::string(900, 'x'));
  });
  while (newest < 900) {
    const auto opened = read(path_);
    if (!opened) ADD_FAILURE() << opened.error().message();
    if (!opened) break;
    if (opened->records.empty()) continue;
    EXPECT_GE(opened->records.back().number, newest);
    newest = opened->records.back().number;
  }
  writer.join();
}

// --- Any sequence, cut anywhere ------------------------------------------------------------------------------------

TEST_F(LedgerTest, AnySequenceCutAnywhereReadsAsAPrefix) {
  for (unsigned seed = 0; seed < 2; ++seed) {
    std::mt19937 random(seed);
    fs::remove(path_);
    const auto observations = one_of_each_observation();
    std::vector<policy::History> histories;  // after n records
    {
      Ledger ledger = open();
      histories.push_back(ledger.memory().history);
      for (int i = 0; i < 9; ++i) {
        Facts facts;
        facts.text = std::string(random() % 40, 'a');
        see(ledger, observations[random() % observations.size()], facts);
        histories.push_back(ledger.memory().history);
      }
    }
    const std::string whole = content();
    for (std::size_t length = 0; length <= whole.size(); ++length) {
      replace(whole.substr(0, length));
      const auto opened = read(path_);
      ASSERT_TRUE(opened) << "seed " << seed << ", cut at " << length << ": " << opened.error().message();
      const auto lines =
          static_cast<std::size_t>(std::count(whole.begin(), whole.begin() + static_cast<long>(length), '\n'));
      ASSERT_EQ(opened->records.size(), lines);
      ASSERT_EQ(opened->memory.history, histories[lines]) << "seed " << seed << ", cut at " << length;
    }
  }
}

// Whatever single byte changes: either the history is the same, or something is said about it.
TEST_F(LedgerTest, EachFlippedByteIsHarmlessOrReported) {
  write_boots(4);
  const std::string whole = content();
  const policy::History history = read(path_)->memory.history;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::string text = whole;
    text[i] = static_cast<char>(text[i] ^ 0x01);
    replace(text);
    const auto opened = read(path_);
    if (opened && opened->notes.empty()) {
      EXPECT_EQ(opened->memory.history, history) << "byte " << i;
    }
  }
}

TEST_F(LedgerTest, EachCutIsReported) {
  write_boots(4);
  const std::string whole = content();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    replace(whole.substr(0, size));
    const auto opened = read(path_);
    EXPECT_TRUE(!opened || !opened->notes.empty()) << "cut to " << size << " bytes";
  }
}

TEST_F(LedgerTest, RecordsThatAreGoneFromTheMiddleAreReported) {
  write_boots(4);
  const std::string whole = content();
  const std::size_t second = whole.find('\n') + 1;
  const std::size_t third = whole.find('\n', second) + 1;
  replace(whole.substr(0, second) + whole.substr(third));
  EXPECT_THAT(read(path_)->notes, Contains(HasSubstr("1 records are missing")));
}

TEST_F(LedgerTest, RecordsThatAreGoneFromTheEndAreReportedAndStayVisible) {
  write_boots(5);
  const std::string whole = content();
  std::size_t third = 0;
  for (int i = 0; i < 3; ++i) third = whole.find('\n', third) + 1;
  replace(whole.substr(0, third));
  EXPECT_THAT(read(path_)->notes, Contains(HasSubstr("2 records are missing from the end")));
  write_boots(1);
  EXPECT_THAT(read(path_)->notes, ElementsAre(HasSubstr("2 records are missing from the middle")));
  EXPECT_EQ(read(path_)->records.back().number, 6U);
}

TEST_F(LedgerTest, LedgerThatIsGoneIsReported) {
  write_boots(3);
  fs::remove(path_);
  EXPECT_THAT(open().notes(), ElementsAre(HasSubstr("3 records are missing from the end")));
}

TEST_F(LedgerTest, CountThatLagsOrCannotBeReadSaysNothing) {
  write_boots(3);
  const fs::path newest = path_.string() + ".newest";
  for (const std::string text : {"00000000000000000002\n", "", "0000000000000000", "00000000000000000x99\n"}) {
    std::ofstream(newest, std::ios::trunc) << text;
    EXPECT_THAT(read(path_)->notes, IsEmpty()) << text;
  }
  fs::remove(newest);
  ASSERT_EQ(::mkfifo(newest.c_str(), 0644), 0);
  write_boots(1);
  EXPECT_THAT(read(path_)->notes, IsEmpty());
  EXPECT_EQ(boots_read(), 4U);
}

TEST_F(LedgerTest, AnyFlippedBitLosesAtMostTheLinesItTouches) {
  write_boots(4);
  const std::string whole = content();
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string text = whole;
    text[at] = static_cast<char>(text[at] ^ (1 << (at % 7)));
    replace(text);
    const auto opened = read(path_);
    ASSERT_TRUE(opened);
    ASSERT_GE(opened->records.size(), 2U) << at;
  }
}

}  // namespace
}  // namespace ledger
