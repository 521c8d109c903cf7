#include <gmock/gmock.h>
#include <stdlib.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "harness/report/json.h"
#include "harness/report/junit.h"
#include "harness/report/terminal.h"
#include "harness/report/text.h"

namespace report {
namespace {

using oracle::Judgement;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

pod::Event event(int at, int boot, pod::EventKind kind, const std::string& text, int step = -1) {
  return {seconds(at), boot, kind, text, step};
}

oracle::ScenarioResult spot_interruption() {
  oracle::ScenarioResult result;
  result.name = "spot interruption in the middle of training";
  result.file = "scenarios/spot_interrupt.yaml";
  result.variant = "grace=5s";
  result.story = "The pod is taken away at step 120.";
  result.judgement = Judgement::kPass;
  result.reason = "completed after 2 boots and 8 min";
  result.findings = {{"outcome", Judgement::kPass, "completed, as expected"}};
  result.verdicts = {{"never-loops", oracle::Status::kPass, "2 boots", false, {}},
                     {"work-preserved", oracle::Status::kFail, "lost", true, {"clocks"}}};
  auto& record = result.record;
  record.events = {event(2, 1, pod::EventKind::kPhase, "cloning"),
                   event(12, 1, pod::EventKind::kAttempt, "training from step 0", 0),
                   event(52, 1, pod::EventKind::kCheckpoint, "checkpoint of step 20", 20),
                   event(92, 1, pod::EventKind::kCheckpoint, "checkpoint of step 40", 40),
                   event(100, 1, pod::EventKind::kFault, "spot interruption, 5 s of grace"),
                   event(200, 2, pod::EventKind::kFinished, "finished at step 200")};
  pod::Boot first{1, "pod-1", seconds(0), seconds(105), pod::BootEnd::kInterrupted, {}, 0, 40, true, {}};
  first.status = {base::WaitStatus::Kind::kSignaled, 15};
  record.boots = {first, {2, "pod-2", seconds(122), seconds(480), pod::BootEnd::kStillRunning, {}, 40, 200, false, {}}};
  record.attempts = {{1, seconds(12), seconds(100), 0, 44, false}, {2, seconds(130), seconds(200), 40, 200, true}};
  record.log = {{seconds(12), 1, "step 1"}};
  record.not_covered = {"nothing much"};
  record.outcome = scenario::Outcome::kCompleted;
  record.end = seconds(480);
  record.real_seconds = 1.5;
  record.pending_timeline = true;
  record.pending = {"line 3: step 500"};
  record.passed_over = {"edit as the user: there is no checkout"};
  result.kept_folder = "/tmp/simrun-1";
  result.replay = "./dev simrun scenarios/spot_interrupt.yaml";
  return result;
}

oracle::ScenarioResult loop(int boots) {
  auto result = spot_interruption();
  result.judgement = Judgement::kFail;
  result.reason = "never-loops: " + std::string(200, 'x') + " every later boot will, too";
  result.record.events.clear();
  result.record.boots.clear();
  result.record.log.clear();
  for (int number = 1; number <= boots; ++number) {
    pod::Boot boot{number, "pod-1", seconds(17 * number), seconds(17 * number + 2), pod::BootEnd::kOwnExit, {}, 0, 0,
                   false,  {}};
    boot.status = {base::WaitStatus::Kind::kExited, 128};
    result.record.boots.push_back(boot);
    result.record.log.push_back({boot.end, number, "fatal: already exists"});
  }
  return result;
}

TEST(Json, RoundTripKeepsEverythingThatReportsShow) {
  const auto result = spot_interruption();
  const auto text = to_json(result);
  const auto back = from_json(text);
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(to_json(*back), text);
  EXPECT_EQ(render(*back, true), render(result, true));
  EXPECT_EQ(to_junit({*back}), to_junit({result}));
  EXPECT_EQ(back->record.boots[0].status, result.record.boots[0].status);
  EXPECT_EQ(back->record.pending, result.record.pending);
  EXPECT_EQ(back->record.passed_over, result.record.passed_over);
  EXPECT_EQ(back->verdicts[1].assumptions, result.verdicts[1].assumptions);
}

TEST(Json, ResultsWithoutAnOutcomeRoundTrip) {
  auto result = spot_interruption();
  result.record.outcome.reset();
  const auto back = from_json(to_json(result));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->record.outcome, std::nullopt);
}

TEST(Json, BytesThatAreNoUtf8DoNotStopIt) {
  auto result = spot_interruption();
  result.record.log[0].text = "\xff\xfe broken";
  const auto back = from_json(to_json(result));
  ASSERT_TRUE(back);
  EXPECT_THAT(back->record.log[0].text, HasSubstr("broken"));
}

TEST(Json, OtherTextIsAnError) {
  for (const auto* text : {"", "{", "[]", "{}", "{\"name\": 3}"}) {
    const auto result = from_json(text);
    ASSERT_FALSE(result) << text;
    EXPECT_EQ(result.error().code, base::ErrorCode::kDamaged);
  }
  auto unknown_word = to_json(spot_interruption());
  unknown_word.replace(unknown_word.find("\"still-running\""), 15, "\"dancing\"");
  EXPECT_FALSE(from_json(unknown_word));
}

TEST(Text, SanitisedIsValidAndWithoutControls) {
  EXPECT_EQ(sanitised("gr\xC3\xBC\xC3\x9F \xE2\x9A\xA1"), "gr\xC3\xBC\xC3\x9F \xE2\x9A\xA1");
  EXPECT_EQ(sanitised("a\x1B[31mb"), "a\xEF\xBF\xBD[31mb");
  EXPECT_EQ(sanitised(std::string("a\0b", 3)),
            "a\xEF\xBF\xBD"
            "b");
  EXPECT_EQ(sanitised("\xC0\xAF"), "\xEF\xBF\xBD\xEF\xBF\xBD") << "an overlong form";
  EXPECT_EQ(sanitised("\xED\xA0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD") << "a surrogate";
  EXPECT_EQ(sanitised("\xE2\x9A"), "\xEF\xBF\xBD\xEF\xBF\xBD") << "cut off";
}

TEST(Text, FittedKeepsWholeCharacters) {
  EXPECT_EQ(fitted("abcdef", 6), "abcdef");
  EXPECT_EQ(fitted("abcdef", 5), "abcd…");
  EXPECT_EQ(fitted("äöüäöü", 4), "äöü…");
  EXPECT_EQ(fitted("a\nb", 10), "a b");
}

TEST(Text, WrappedBreaksAtSpacesAndCutsLongWords) {
  EXPECT_THAT(wrapped("one two three", 7), ::testing::ElementsAre("one two", "three"));
  EXPECT_THAT(wrapped("abcdefghij", 4), ::testing::ElementsAre("abcd", "efgh", "ij"));
  EXPECT_THAT(wrapped("", 4), ::testing::ElementsAre(""));
}

TEST(Terminal, ShowsTheStory) {
  const auto page = render(spot_interruption(), false);
  EXPECT_THAT(page, HasSubstr("boot 1 on pod pod-1"));
  EXPECT_THAT(page, HasSubstr("0:01:40  ⚡ spot interruption, 5 s of grace"));
  EXPECT_THAT(page, HasSubstr("2 checkpoints, of steps 20 to 40"));
  EXPECT_THAT(page, HasSubstr("interrupted after 1 min 45 s: signal 15"));
  EXPECT_THAT(page, HasSubstr("PASS  completed after 2 boots and 8 min"));
  EXPECT_THAT(page, HasSubstr("replay:  ./dev simrun scenarios/spot_interrupt.yaml"));
  EXPECT_THAT(page, Not(HasSubstr("\033")));
  EXPECT_THAT(render(spot_interruption(), true), HasSubstr("\033[1;32mPASS"));
}

TEST(Terminal, ManyBootsThatWentAlikeAreToldOnce) {
  const auto page = render(loop(118), false);
  EXPECT_THAT(page, HasSubstr("boot 1 "));
  EXPECT_THAT(page, HasSubstr("115 more boots went the same way, 17 s apart"));
  EXPECT_THAT(page, HasSubstr("boot 118 "));
  EXPECT_THAT(page, Not(HasSubstr("boot 50 ")));
  EXPECT_THAT(page, HasSubstr("“fatal: already exists”"));
}

TEST(Terminal, WhatHappensBetweenBootsStandsBetweenThem) {
  auto result = loop(2);
  result.record.events = {event(21, 1, pod::EventKind::kHeal, "network up")};
  const auto page = render(result, false);
  EXPECT_THAT(page, HasSubstr(" •   0:00:21  network up\n"));
  EXPECT_LT(page.find("ended by itself"), page.find("network up"));
  EXPECT_LT(page.find("network up"), page.find("boot 2"));
}

TEST(Terminal, WordsThatAreSaidAgainAndAgainAreToldOnce) {
  auto result = spot_interruption();
  result.record.boots.back().end = std::chrono::hours(2);
  for (int i = 0; i < 11; ++i) {
    result.record.events.push_back(
        event(300 * i + 300, 2, pod::EventKind::kPhase, "podlaunch: finished: this pod may be stopped"));
  }
  EXPECT_THAT(render(result, false), HasSubstr("0:05:00  11 × finished: this pod may be stopped"));
}

TEST(Terminal, LastWordsThatThePhasesToldAreNotRepeated) {
  auto result = loop(1);
  result.record.events = {event(18, 1, pod::EventKind::kPhase, "fatal: already exists")};
  EXPECT_THAT(render(result, false), Not(HasSubstr("“fatal")));
}

TEST(Terminal, FourBootsAreToldOneByOne) {
  const auto page = render(loop(4), false);
  EXPECT_THAT(page, HasSubstr("boot 3 "));
  EXPECT_THAT(page, Not(HasSubstr("more boot")));
}

TEST(Terminal, NoLineIsWiderThanThePage) {
  auto result = loop(9);
  result.record.events = {event(1, 1, pod::EventKind::kPhase, std::string(300, 'y')),
                          event(2, 1, pod::EventKind::kFault, "⚡" + std::string(300, 'z')),
                          event(3600 * 2000, 1, pod::EventKind::kNote, "late")};
  result.findings.push_back({"work-preserved", Judgement::kFail, std::string(50, 'a') + " " + std::string(150, 'b')});
  for (const auto& page : {render(result, false), render_line(result, false)}) {
    std::size_t begin = 0;
    while (begin < page.size()) {
      const auto end = page.find('\n', begin);
      const auto line = page.substr(begin, end - begin);
      EXPECT_LE(columns(line), 100U) << line;
      begin = end + 1;
    }
  }
}

TEST(Terminal, AListHasALineForEachAndACount) {
  EXPECT_TRUE(render_line(spot_interruption(), false).starts_with("PASS     spot interruption in the middle of"));
  EXPECT_TRUE(render_line(loop(3), false).starts_with("FAIL "));
  EXPECT_EQ(render_count({spot_interruption(), loop(3), loop(3)}, false), "3 scenarios: 1 passed, 2 failed\n");
  EXPECT_EQ(render_count({}, false), "0 scenarios: nothing was run\n");
}

TEST(Terminal, EscapeSequencesOfThePodStayHarmless) {
  auto result = loop(1);
  result.record.log[0].text = "\033]0;owned\007\033[2J";
  result.name = "evil \033[31m name";
  EXPECT_THAT(render_line(result, false) + render(result, false), Not(HasSubstr("\033")));
}

TEST(Terminal, ColoursNeedATerminalAndNoRefusal) {
  EXPECT_TRUE(colour_wanted(true, nullptr));
  EXPECT_TRUE(colour_wanted(true, ""));
  EXPECT_FALSE(colour_wanted(true, "1"));
  EXPECT_FALSE(colour_wanted(false, nullptr));
}

// What python3's XML parser makes of a report: one line a testcase, or its complaint.
std::string parsed_by_python(const std::string& xml) {
  std::string path = (std::filesystem::temp_directory_path() / "junit-XXXXXX").string();
  const int fd = ::mkstemp(path.data());
  EXPECT_GE(fd, 0);
  ::close(fd);
  std::ofstream(path, std::ios::binary) << xml;
  const auto command =
      "timeout 30 python3 -c \""
      "import sys, xml.etree.ElementTree as t\n"
      "root = t.parse(sys.argv[1]).getroot()\n"
      "suite = root[0]\n"
      "print(root.tag, suite.tag, suite.get('tests'), suite.get('failures'), suite.get('errors'))\n"
      "for case in suite: print(repr(case.get('name')), sorted({c.tag for c in case}))\n"
      "\" " +
      path + " 2>&1";
  std::string output;
  FILE* pipe = ::popen(command.c_str(), "r");
  std::array<char, 4096> buffer{};
  while (std::size_t count = std::fread(buffer.data(), 1, buffer.size(), pipe)) output.append(buffer.data(), count);
  ::pclose(pipe);
  std::filesystem::remove(path);
  return output;
}

TEST(Junit, IsWhatAParserExpects) {
  auto unknown = spot_interruption();
  unknown.judgement = Judgement::kUnknown;
  auto setup_error = spot_interruption();
  setup_error.judgement = Judgement::kSetupError;
  const auto seen = parsed_by_python(to_junit({spot_interruption(), loop(3), unknown, setup_error}));
  EXPECT_THAT(seen, HasSubstr("testsuites testsuite 4 1 2\n"));
  EXPECT_THAT(seen, HasSubstr("'spot interruption in the middle of training [grace=5s]' ['properties', 'system-out']"));
  EXPECT_THAT(seen, HasSubstr("['failure', 'properties', 'system-out']"));
  EXPECT_THAT(seen, HasSubstr("['error', 'properties', 'system-out']"));
}

TEST(Junit, AnyBytesAtAllStayValidXml) {
  auto result = loop(1);
  std::string every_byte;
  for (int byte = 0; byte < 256; ++byte) every_byte += static_cast<char>(byte);
  result.name = "<&>\"'\n\t" + every_byte;
  result.reason = every_byte;
  result.findings.push_back({every_byte, Judgement::kFail, "]]>" + every_byte});
  result.record.log[0].text = every_byte + "\xEF\xBF\xBF";
  const auto seen = parsed_by_python(to_junit({result}));
  EXPECT_THAT(seen, HasSubstr("testsuites testsuite 1 1 0\n"));
  EXPECT_THAT(seen, HasSubstr(R"('<&>"\'\n\t)"));
}

TEST(Junit, NoScenariosAreAValidReport) {
  EXPECT_THAT(parsed_by_python(to_junit({})), HasSubstr("testsuites testsuite 0 0 0"));
}

}  // namespace
}  // namespace report
