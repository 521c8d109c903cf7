#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <fstream>
#include <map>
#include <regex>
#include <vector>

#include "launcher/training/failure.h"

namespace {

using base::WaitStatus;
using policy::Cause;
using training::Failure;

constexpr WaitStatus kExitOne{WaitStatus::Kind::kExited, 1};

Failure failure_of(const std::vector<std::string>& lines, WaitStatus status = kExitOne) {
  training::RootError error;
  for (const std::string& line : lines) error.see(line);
  return training::describe_failure(status, error.text(), false);
}

TEST(RootError, FirstTracebackBeatsTheLastLine) {
  const Failure failure =
      failure_of({"step 3", "Traceback (most recent call last):", "  File \"a.py\", line 3, in main", "    run()",
                  "KeyError: 'reward'", "During handling of the above exception, another exception occurred:",
                  "Traceback (most recent call last):", "  File \"b.py\", line 1", "RuntimeError: worker died",
                  "ERROR: launcher failed"});
  EXPECT_EQ(failure.text, "exit 1: KeyError: 'reward'");
  EXPECT_EQ(failure.cause, Cause::kDeterministic);
}

TEST(RootError, RankPrefixesAreSeenThrough) {
  EXPECT_EQ(failure_of({"[rank3]: Traceback (most recent call last):", "[rank3]:   File \"a.py\", line 3",
                        "[rank3]: ValueError: 7"})
                .text,
            "exit 1: ValueError: 7");
}

TEST(RootError, PlainErrorLineIsTakenWhenThereIsNoTraceback) {
  EXPECT_EQ(failure_of({"working", "ERROR: Could not open requirements.txt", "error: second"}).text,
            "exit 1: ERROR: Could not open requirements.txt");
  EXPECT_EQ(failure_of({"all is well"}).text, "exit 1");
}

TEST(Fingerprint, OutOfMemoryUnderFourTrialNamesIsOneCause) {
  const char* const lines[] = {
      "torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.50 GiB in '/outputs/trial_0142/ckpt' at "
      "0x7f3a12bc",
      "torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 768.00 GiB in '/outputs/trial_7/ckpt' at "
      "0x7f3a00ff"};
  EXPECT_EQ(failure_of({lines[0]}).signature, failure_of({lines[1]}).signature);
}

TEST(Fingerprint, NumbersTimesPathsHexAndNamesDoNotMatter) {
  using training::normalise;
  EXPECT_EQ(normalise("10:31:07.123 lost worker 12 of 'alpha' at /a/b-1.pt (deadbeef01)"),
            normalise("22:01:59.9 lost worker 3 of 'beta' at /c/d/e.pt (cafe0123)"));
  EXPECT_NE(normalise("KeyError: reward"), normalise("KeyError: loss"));
}

TEST(Fingerprint, AnotherStatusIsAnotherCause) {
  EXPECT_NE(failure_of({}).signature, failure_of({}, {WaitStatus::Kind::kSignaled, 11}).signature);
}

TEST(Cause, KindsAreToldApart) {
  EXPECT_EQ(failure_of({"ERROR: Max retries exceeded with url: /simple"}).cause, Cause::kTransient);
  EXPECT_EQ(failure_of({"OSError: [Errno 28] No space left on device"}).cause, Cause::kEnvironment);
  EXPECT_EQ(failure_of({}, {WaitStatus::Kind::kExited, 127}).cause, Cause::kDeterministic);
  EXPECT_EQ(failure_of({"CUDA out of memory. Tried to allocate"}).cause, Cause::kDeterministic);
  EXPECT_EQ(failure_of({"boom"}).cause, Cause::kUnknown);
}

TEST(Cause, LongErrorsAreToldByTheirBeginningAndComparedWhole) {
  const std::string long_error = "RuntimeError: " + std::string(30, 'a') + std::string(250, 'b');
  const std::string start = "RuntimeError: one two three of many words ";
  const std::string words = start + std::string(150, 'c') + " " + std::string(20, 'd');
  const Failure one = training::describe_failure({WaitStatus::Kind::kExited, 1}, words + " x", false);
  const Failure other = training::describe_failure({WaitStatus::Kind::kExited, 1}, words + " y", false);
  EXPECT_EQ(one.text, "exit 1: " + start + std::string(150, 'c') + " …");
  EXPECT_NE(one.signature, other.signature);
  EXPECT_LT(training::describe_failure({WaitStatus::Kind::kExited, 1}, long_error, false).text.size(), 230U);
}

TEST(Cause, KilledForMemoryIsSaid) {
  const Failure failure = training::describe_failure({WaitStatus::Kind::kSignaled, 9}, "", true);
  EXPECT_THAT(failure.text, testing::HasSubstr("memory limit"));
  EXPECT_EQ(failure.cause, Cause::kDeterministic);
}

// Logs as they were printed, and what they say: fixtures/logs/expectations.yaml.
class RecordedLog {
 public:
  static Failure read(const YAML::Node& expected) {
    training::RootError error;
    std::ifstream log(PROJECT_SOURCE_DIR "/fixtures/logs/" + expected["log"].as<std::string>());
    EXPECT_TRUE(log.is_open()) << expected["log"];
    for (std::string line; std::getline(log, line);) {
      if (!line.starts_with("@calm ")) {
        error.see(line);
        continue;
      }
      for (int step = std::atoi(line.c_str() + 6); step > 0; --step) error.see("step 1 loss 0.5");
    }
    root_of[expected["log"].as<std::string>()] = std::string(error.text());
    const int status = expected["status"].as<int>();
    return training::describe_failure(status > 128 ? WaitStatus{WaitStatus::Kind::kSignaled, status - 128}
                                                   : WaitStatus{WaitStatus::Kind::kExited, status},
                                      error.text(), expected["killed-for-memory"].as<bool>(false));
  }
  inline static std::map<std::string, std::string> root_of;
};

TEST(RecordedLogs, EachSaysWhatItsPageSays) {
  const YAML::Node all = YAML::LoadFile(PROJECT_SOURCE_DIR "/fixtures/logs/expectations.yaml");
  std::map<std::string, Failure> failures;
  for (const YAML::Node& expected : all) {
    const std::string log = expected["log"].as<std::string>();
    const Failure failure = RecordedLog::read(expected);
    EXPECT_EQ(policy::name(failure.cause), expected["cause"].as<std::string>()) << log << ": " << failure.text;
    EXPECT_TRUE(std::regex_search(RecordedLog::root_of[log], std::regex(expected["root"].as<std::string>())))
        << log << ": " << RecordedLog::root_of[log];
    failures[log] = failure;
  }
  EXPECT_GE(failures.size(), 15U);
  // Two logs have one fingerprint where the page says so, and nowhere else.
  std::map<std::string, std::string> first_of_cause;
  for (const YAML::Node& expected : all) {
    const std::string log = expected["log"].as<std::string>();
    first_of_cause[log] = expected["same-cause-as"].as<std::string>(log);
  }
  for (const auto& [log, failure] : failures) {
    for (const auto& [other, other_failure] : failures) {
      EXPECT_EQ(failure.signature == other_failure.signature, first_of_cause[log] == first_of_cause[other])
          << log << " and " << other;
    }
  }
}

TEST(RootError, LinesOfRanksThatComeInterleavedAreReadApart) {
  EXPECT_EQ(failure_of({"[rank0]: Traceback (most recent call last):", "[rank1]: Traceback (most recent call last):",
                        "[rank0]:   File \"a.py\", line 1", "[rank1]:   File \"a.py\", line 2", "[rank1]: KeyError: 1",
                        "[rank0]: BrokenPipeError: [Errno 32] Broken pipe"})
                .text,
            "exit 1: KeyError: 1");
}

TEST(OutOfMemoryKills, AreReadFromBothVersionsOfCgroups) {
  using training::out_of_memory_kills_in;
  EXPECT_EQ(out_of_memory_kills_in("low 0\nhigh 0\nmax 81\noom 3\noom_kill 2\noom_group_kill 7\n"), 2);
  EXPECT_EQ(out_of_memory_kills_in("oom_kill_disable 0\nunder_oom 0\noom_kill 5\n"), 5);
  EXPECT_EQ(out_of_memory_kills_in(""), 0);
}

}  // namespace
