// strace as a second witness: what its log says, where it agrees with the stage, and that a disagreement is found.
#include "harness/sweep/witness.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>

#include "harness/witness/strace.h"

namespace sweep {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using witness::Caller;
using witness::Counts;

std::string base_name(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

Counts counts_of(const std::string& log) {
  return witness::count_changes(log, 10, base_name);
}

TEST(StraceLog, CallsAreCountedByProcessAndFile) {
  const Counts counts = counts_of(
      "10 execve(\"/bin/bash\", [...], 0x7ff /* 3 vars */) = 0\n"
      "10 write(3</w/a, b>, \"\"..., 5)       = 5\n"
      "10 write(3</w/a, b>, \"\"..., 7)       = 7\n"
      "10 rename(\"a\", \"b\")              = 0\n");
  EXPECT_THAT(counts, ElementsAre(Pair(Caller{"bash", "rename", ""}, witness::Tally{1, 0}),
                                  Pair(Caller{"bash", "write", "/w/a, b"}, witness::Tally{2, 12})));
}

TEST(StraceLog, AChildIsNamedAfterItsParentsAlsoWhenItSpeaksFirst) {
  const Counts counts = counts_of(
      "10 execve(\"/bin/bash\", [...], 0x7ff /* 3 vars */) = 0\n"
      "10 clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD <unfinished ...>\n"
      "11 mkdir(\"/w/d\", 0777)            = 0\n"
      "10 <... clone resumed>, child_tidptr=0x7fe) = 2 /* 11 in strace's PID NS */\n"
      "11 execve(\"/usr/bin/git\", [...], 0x7ff /* 3 vars */ <unfinished ...>\n"
      "10 unlink(\"/w/x\" <unfinished ...>\n"
      "11 <... execve resumed>)           = 0\n"
      "10 <... unlink resumed>)           = 0\n"
      "11 clone3({flags=CLONE_VM|CLONE_THREAD, exit_signal=0}, 88) = 3 /* 12 in strace's PID NS */\n"
      "12 fsync(4</w/f>)                  = 0\n");
  EXPECT_THAT(counts,
              ElementsAre(Pair(Caller{"bash", "mkdir", ""}, testing::_), Pair(Caller{"bash", "unlink", ""}, testing::_),
                          Pair(Caller{"bash/git", "fsync", "/w/f"}, testing::_)));
}

TEST(StraceLog, WhatChangesNoDiskIsNotCounted) {
  EXPECT_THAT(counts_of("10 write(1<pipe:[77]>, \"\"..., 5) = 5\n"
                        "10 write(2</dev/null>, \"\"..., 5) = 5\n"
                        "10 write(4</proc/self/oom_score_adj>, \"\"..., 5) = 5\n"
                        "10 write(5</w/gone>(deleted), \"\"..., 5) = 5\n"
                        "10 write(6</w/a>, \"\", 0) = 0\n"
                        "10 openat(AT_FDCWD</w>, \"a\", O_RDONLY) = 3</w/a>\n"
                        "10 openat(AT_FDCWD</w>, \"n\", O_WRONLY|O_CREAT, 0666) = 3</dev/null>\n"
                        "10 mkdir(\"/w\", 0777) = -1 EEXIST (File exists)\n"
                        "10 ioctl(3</w/a>, TCGETS, 0x7ff) = 0\n"),
              IsEmpty());
}

TEST(Witness, EqualCountsAgreeAndSoDoOnePiecesBytes) {
  const Counts stage{{{"p", "write", "/w/log"}, {3, 100}}, {{"p", "rename", ""}, {2, 0}}};
  const Counts strace{{{"p", "write", "/w/log"}, {5, 100}}, {{"p", "rename", ""}, {2, 0}}};
  EXPECT_THAT(compare(1, stage, strace).not_covered, IsEmpty());
  EXPECT_THAT(compare(1, stage, strace).text, HasSubstr("7 calls by 1 processes"));
}

TEST(Witness, AMiscountIsFoundInEitherDirection) {
  const Counts two{{{"p", "rename", ""}, {2, 0}}};
  const Counts three{{{"p", "rename", ""}, {3, 0}}};
  EXPECT_THAT(compare(1, two, three).not_covered,
              ElementsAre("in boot 1, of rename by p strace counts 3 calls and 0 bytes, the stage 2 and 0"));
  EXPECT_EQ(compare(1, three, two).not_covered.size(), 1U);
  EXPECT_EQ(compare(1, {}, two).not_covered.size(), 1U);
  EXPECT_THAT(compare(1, two, three).text, HasSubstr("disagree"));
}

TEST(Witness, NamesThatAreDrawnAtRandomDoNotCount) {
  const Counts one{{{"p", "fsync", "/w/claim.0d1e2f3a4b5c6d7e.new.12"}, {1, 0}}};
  const Counts other{{{"p", "fsync", "/w/claim.ffbbd0c1bdaedf2e.new.7"}, {1, 0}}};
  EXPECT_THAT(compare(1, one, other).not_covered, IsEmpty());
}

struct Ended {
  int status = -1;
  std::string output;
};

Ended sweep_tooth(const std::string& tooth, const std::string& options, const std::string& environment = "") {
  const std::string command = "timeout 100 " + environment +
                              " " PROJECT_BIN_DIR "/simrun sweep " PROJECT_SOURCE_DIR "/tests/teeth/sweep/" + tooth +
                              ".yaml -j 1 --kinds kill " + options + " 2>&1 </dev/null";
  Ended ended;
  FILE* pipe = ::popen(command.c_str(), "r");
  std::array<char, 4096> buffer;
  std::size_t size = 0;
  while ((size = ::fread(buffer.data(), 1, buffer.size(), pipe)) > 0) ended.output.append(buffer.data(), size);
  const int status = ::pclose(pipe);
  ended.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return ended;
}

TEST(Witness, AgreesWithTheStageOnARealBoot) {
  if (!witness::find_strace()) GTEST_SKIP() << "strace is not installed";
  const auto ended = sweep_tooth("sound", "--worlds 1 --witness strace");
  EXPECT_EQ(ended.status, 0) << ended.output;
  EXPECT_THAT(ended.output, HasSubstr("boot 1: strace and the stage both count "));
}

TEST(Witness, CountsWhatTheStageDoesNotFollow) {
  if (!witness::find_strace()) GTEST_SKIP() << "strace is not installed";
  const auto ended = sweep_tooth("submits_writes", "--worlds 1 --witness strace");
  EXPECT_EQ(ended.status, 2) << ended.output;
  EXPECT_THAT(ended.output, HasSubstr("of io_submit by python"));
}

TEST(Witness, WithoutStraceTheRemedyIsSaid) {
  const auto ended = sweep_tooth("sound", "--worlds 1 --witness strace", "/usr/bin/env PATH=/nonexistent");
  EXPECT_EQ(ended.status, 3) << ended.output;
  EXPECT_THAT(ended.output, HasSubstr("strace is not installed"));
  EXPECT_THAT(ended.output, HasSubstr("apt-get install strace"));
}

// What a sweep cannot vouch for is never passed over: each of these passes but for it.

TEST(NotCovered, AsksForIoUring) {
  const auto ended = sweep_tooth("asks_for_io_uring", "");
  EXPECT_EQ(ended.status, 2) << ended.output;
  EXPECT_THAT(ended.output, HasSubstr("not covered: io_uring_setup by python"));
}

TEST(NotCovered, CallsThatTheStageDoesNotFollow) {
  const auto ended = sweep_tooth("submits_writes", "");
  EXPECT_EQ(ended.status, 2) << ended.output;
  EXPECT_THAT(ended.output, HasSubstr("not covered: io_submit by python"));
}

TEST(NotCovered, MappingsAreFollowedToWhereTheirFilesGo) {
  const auto ended = sweep_tooth("maps_and_moves", "");
  EXPECT_EQ(ended.status, 0) << ended.output;
}

}  // namespace
}  // namespace sweep
