#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

TEST(Cause, KilledForMemoryIsSaid) {
  const Failure failure = training::describe_failure({WaitStatus::Kind::kSignaled, 9}, "", true);
  EXPECT_THAT(failure.text, testing::HasSubstr("memory limit"));
  EXPECT_EQ(failure.cause, Cause::kDeterministic);
}

}  // namespace
