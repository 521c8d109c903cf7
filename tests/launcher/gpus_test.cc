// GPUs as nvidia-smi shows them: asked for through the stand-in of the simulator, which answers in the forms of the
// real one; and what follows from its answers.
#include "launcher/pod/gpus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "launcher/base/waiter.h"
#include "launcher/pod/gpu_verdict.h"

namespace pod {
namespace {

namespace fs = std::filesystem;
using State = GpuReport::State;
using Kind = GpuVerdict::Kind;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class NvidiaSmiTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(waiter_);
    fs::copy_file(PROJECT_SOURCE_DIR "/fixtures/bin/nvidia-smi", folder_ / "nvidia-smi");
    fs::copy_file(PROJECT_SOURCE_DIR "/fixtures/bin/dmesg", folder_ / "dmesg");
    ::setenv("PATH", (folder_.string() + ":" + path_).c_str(), 1);
    ::setenv("SIMULATED_GPUS", (folder_ / "gpus").c_str(), 1);
  }
  void TearDown() override {
    ::setenv("PATH", path_.c_str(), 1);
    ::unsetenv("SIMULATED_GPUS");
    fs::remove_all(folder_);
  }
  // The state of nvidia-smi, then one for each GPU: they are called GPU-a, GPU-b, …
  void say(const std::string& program, const std::vector<std::string>& gpus) const {
    std::ofstream file(folder_ / "gpus");
    file << "nvidia-smi " << program << "\ndriver 550.54.15\nmemory 81559\nmodel NVIDIA H100 80GB HBM3\n";
    for (std::size_t i = 0; i < gpus.size(); ++i) {
      file << "gpu " << i << " GPU-" << static_cast<char>('a' + i) << " " << gpus[i] << "\n";
    }
  }
  void install(const std::string& script) const { std::ofstream(folder_ / "nvidia-smi") << "#!/bin/sh\n" << script; }
  GpuReport ask(base::Seconds deadline = base::Seconds(60)) { return smi_.ask(*waiter_, deadline); }

  static fs::path new_folder() {
    std::string name = testing::TempDir() + "gpus_XXXXXX";
    return ::mkdtemp(name.data()) == nullptr ? fs::path() : fs::path(name);
  }

  const std::string path_ = std::getenv("PATH");
  const fs::path folder_ = new_folder();
  base::Result<base::Waiter> waiter_ = base::Waiter::open();
  NvidiaSmi smi_;
};

TEST_F(NvidiaSmiTest, HealthyGpusAreNamedAndMeasured) {
  say("works", {"healthy", "healthy"});
  const auto report = ask();
  EXPECT_EQ(report.state, State::kAnswered);
  ASSERT_EQ(report.gpus.size(), 2U);
  EXPECT_EQ(report.gpus[1].uuid, "GPU-b");
  EXPECT_EQ(report.gpus[1].name, "NVIDIA H100 80GB HBM3");
  EXPECT_EQ(report.gpus[1].memory_mebibytes, 81559);
  EXPECT_EQ(report.gpus[1].trouble, "");
  EXPECT_EQ(report.driver, "550.54.15");
}

TEST_F(NvidiaSmiTest, ALostGpuDoesNotHideTheOthers) {
  say("works", {"healthy", "lost", "healthy"});
  const auto report = ask();
  EXPECT_EQ(report.state, State::kAnswered);
  ASSERT_EQ(report.gpus.size(), 2U);
  EXPECT_EQ(report.gpus[1].uuid, "GPU-c");
  EXPECT_THAT(report.lost, ElementsAre(HasSubstr("0000:14:00.0: Unknown Error")));
  EXPECT_THAT(newest_xid(*waiter_), HasSubstr("Xid 79 on 0000:14:00 (GPU has fallen off the bus"));
}

TEST_F(NvidiaSmiTest, MemoryThatCannotBeMendedIsTrouble) {
  say("works", {"ecc", "healthy"});
  const auto report = ask();
  ASSERT_EQ(report.gpus.size(), 2U);
  EXPECT_EQ(report.gpus[0].uncorrected_errors, 3);
  EXPECT_THAT(report.gpus[0].trouble, HasSubstr("memory has failed"));
  EXPECT_EQ(report.gpus[1].trouble, "");
}

TEST_F(NvidiaSmiTest, NoGpuIsAnAnswerAndNoDriverIsNone) {
  say("works", {"missing"});
  EXPECT_EQ(ask().state, State::kAnswered);
  EXPECT_THAT(ask().gpus, IsEmpty());
  say("fails", {"healthy"});
  EXPECT_EQ(ask().state, State::kFailed);
  EXPECT_THAT(ask().detail, HasSubstr("exit 9: NVIDIA-SMI has failed"));
  say("mismatch", {"healthy"});
  EXPECT_THAT(ask().detail, HasSubstr("Driver/library version mismatch"));
}

TEST_F(NvidiaSmiTest, SilenceEndsAtTheDeadlineEvenWithDeafEars) {
  say("hangs", {"healthy"});
  const auto report = ask(base::Seconds(1));
  EXPECT_EQ(report.state, State::kHung);
}

TEST_F(NvidiaSmiTest, OlderProgramsThatKnowNoRemappedRowsAreNotFailures) {
  install("case $1 in --query-gpu*) echo 'GPU-1, Tesla V100, 16160, 470.1, 0, [N/A]';; *) exit 2;; esac\n");
  const auto report = ask();
  EXPECT_EQ(report.state, State::kAnswered);
  ASSERT_EQ(report.gpus.size(), 1U);
  EXPECT_EQ(report.gpus[0].uncorrected_errors, 0);
}

TEST_F(NvidiaSmiTest, TheProbeSeesOneGpuAtATime) {
  say("works", {"healthy", "healthy", "healthy"});
  auto report = ask();
  probe(report, "echo no context on $CUDA_VISIBLE_DEVICES >&2; [ $CUDA_VISIBLE_DEVICES != GPU-b ]", *waiter_,
        base::Seconds(60));
  EXPECT_EQ(report.gpus[0].trouble, "");
  EXPECT_EQ(report.gpus[1].trouble, "the probe failed (exit 1: no context on GPU-b)");
  EXPECT_EQ(report.gpus[2].trouble, "");
}

TEST_F(NvidiaSmiTest, AProbeThatHangsIsTrouble) {
  say("works", {"healthy", "healthy"});
  auto report = ask();
  probe(report, "[ $CUDA_VISIBLE_DEVICES = GPU-a ] || sleep 100", *waiter_, base::Seconds(1));
  EXPECT_EQ(report.gpus[0].trouble, "");
  EXPECT_EQ(report.gpus[1].trouble, "the probe did not end within 1 s");
}

TEST(Xid, TheNewestOneIsReadInTheFormsOfTheDriver) {
  EXPECT_EQ(parse_xid("[1.0] NVRM: Xid (PCI:0000:04:00): 31, pid=12, name=python, MMU Fault\n"
                      "[2.0] NVRM: Xid (PCI:0000:14:00): 48, An uncorrectable double bit error\n[3] other\n"),
            "Xid 48 on 0000:14:00 (An uncorrectable double bit error)");
  EXPECT_EQ(parse_xid("[1.0] NVRM: Xid (PCI:0000:04:00): 13\n"), "Xid 13 on 0000:04:00");
  EXPECT_EQ(parse_xid("nothing"), "");
}

// --- The verdict -----------------------------------------------------------------------------------------------------

GpuReport answered(const std::vector<std::pair<std::string, std::string>>& gpus) {
  GpuReport report;
  report.state = State::kAnswered;
  report.driver = "550";
  for (const auto& [uuid, trouble] : gpus) {
    report.gpus.push_back({.uuid = uuid, .name = "H100", .memory_mebibytes = 80000, .trouble = trouble});
  }
  return report;
}

TEST(GpuVerdict, NoneAskedForNoneNeeded) {
  EXPECT_EQ(judge(answered({}), {}).kind, Kind::kNotNeeded);
}

TEST(GpuVerdict, EnoughAreReadyAndSeenByAll) {
  const auto verdict = judge(answered({{"GPU-a", ""}, {"GPU-b", ""}}), {.wanted = 2, .least = 2});
  EXPECT_EQ(verdict.kind, Kind::kReady);
  EXPECT_THAT(verdict.masked, IsEmpty());
  EXPECT_EQ(verdict.text, "2 of 2 there, driver 550");
}

TEST(GpuVerdict, ABrokenOneIsMaskedWhereFewerWillDoAndMissingWhereNot) {
  const auto report = answered({{"GPU-a", ""}, {"GPU-b", "the probe failed"}});
  const auto masked = judge(report, {.wanted = 2, .least = 1});
  EXPECT_EQ(masked.kind, Kind::kReady);
  EXPECT_THAT(masked.masked, ElementsAre("GPU-a"));
  EXPECT_EQ(masked.usable, 1);
  const auto missing = judge(report, {.wanted = 2, .least = 2});
  EXPECT_EQ(missing.kind, Kind::kMissing);
  EXPECT_EQ(missing.text, "1 of 2 GPUs can be used; GPU-b: the probe failed");
}

TEST(GpuVerdict, AGpuThatFailedBeforeIsDoneWithoutWhereTheOthersAreEnough) {
  const auto report = answered({{"GPU-a", ""}, {"GPU-b", ""}});
  const std::map<std::string, unsigned> faults{{"GPU-a", kFaultsMax}, {"GPU-b", kFaultsMax - 1}};
  EXPECT_THAT(judge(report, {.wanted = 2, .least = 1, .faults = faults}).masked, ElementsAre("GPU-b"));
  EXPECT_THAT(judge(report, {.wanted = 2, .least = 2, .faults = faults}).masked, IsEmpty());
  EXPECT_EQ(judge(report, {.wanted = 2, .least = 2, .faults = faults}).kind, Kind::kReady);
}

TEST(GpuVerdict, APlatformsPromiseWithoutNvidiaSmiIsNotChecked) {
  EXPECT_EQ(judge(GpuReport{}, {.wanted = 1, .least = 1}).kind, Kind::kUnchecked);
  EXPECT_EQ(judge(GpuReport{}, {.wanted = 1, .least = 1, .by_user = true}).kind, Kind::kMissing);
}

TEST(GpuVerdict, WhatIsOddIsSaid) {
  auto report = answered({{"GPU-a", ""}, {"GPU-b", ""}});
  report.gpus[0].memory_used_mebibytes = 70'000;
  report.gpus[1].memory_mebibytes = 40'000;
  report.gpus[1].uncorrected_errors = 2;
  EXPECT_THAT(judge(report, {.wanted = 2, .least = 2}).warnings,
              ElementsAre(HasSubstr("70000 MiB of GPU-a"), HasSubstr("GPU-b (H100) reports 2 uncorrected"),
                          HasSubstr("GPU-b (H100) has 40000 MiB, another has 80000")));
}

}  // namespace
}  // namespace pod
