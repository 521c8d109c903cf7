// simrun sweep over small programs: one that is sound, and teeth that each kind of fault must find.
#include "harness/sweep/sweep.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "harness/sweep/network_plan.h"

namespace sweep {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class Sweep : public testing::Test {
 protected:
  Sweep() {
    std::string pattern = fs::temp_directory_path() / "sweep-test-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~Sweep() override { fs::remove_all(folder_); }

  int simrun(const std::string& arguments) {
    const std::string command = "timeout 100 " PROJECT_BIN_DIR "/simrun " + arguments + " 2>&1 </dev/null";
    output_.clear();
    FILE* pipe = ::popen(command.c_str(), "r");
    std::array<char, 4096> buffer;
    std::size_t size = 0;
    while ((size = ::fread(buffer.data(), 1, buffer.size(), pipe)) > 0) output_.append(buffer.data(), size);
    const int status = ::pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  int sweep(const std::string& tooth, const std::string& arguments) {
    return simrun("sweep " PROJECT_SOURCE_DIR "/tests/teeth/sweep/" + tooth + ".yaml -j 2 --cases " + folder_ +
                  " --json " + folder_ + "/report.json " + arguments);
  }
  nlohmann::json report() {
    std::ifstream file(folder_ + "/report.json");
    return nlohmann::json::parse(file).at(0);
  }
  std::string first_case() {
    for (const auto& entry : fs::directory_iterator(folder_)) {
      if (entry.path().filename().string().ends_with("-001.json")) return entry.path();
    }
    return "(no case was saved)";
  }

  std::string folder_;
  std::string output_;
};

TEST_F(Sweep, ASoundProgramPassesAndEqualWorldsArePlayedOnce) {
  EXPECT_EQ(sweep("sound", "--kinds kill,power,short,double"), 0) << output_;
  const auto tallies = report().at("tallies");
  EXPECT_LT(tallies.at("kill").at("played"), tallies.at("kill").at("faults"));
  EXPECT_EQ(tallies.at("power, process-kill").at("played"), 0);  // each leaves what some kill leaves
  EXPECT_EQ(report().at("verdict"), "PASS");
}

TEST_F(Sweep, PowerCutsFindASkippedFsyncAndTheCaseReproduces) {
  EXPECT_EQ(sweep("skips_fsync", "--kinds power"), 1) << output_;
  EXPECT_GT(report().at("tallies").at("power, ext4-ordered").at("failed"), 0);
  EXPECT_EQ(simrun("replay " + first_case()), 1) << output_;
  EXPECT_THAT(output_, HasSubstr("looped"));
}

TEST_F(Sweep, KillsDoNotFindASkippedFsync) {
  EXPECT_EQ(sweep("skips_fsync", "--kinds kill"), 0) << output_;
}

TEST_F(Sweep, KillsFindAFileWrittenInPlace) {
  EXPECT_EQ(sweep("writes_in_place", "--kinds kill"), 1) << output_;
  EXPECT_EQ(simrun("replay " + first_case()), 1) << output_;
}

TEST_F(Sweep, KillsFindARemovalBeforeARenameAndOnlyWhatIsAskedForIsCounted) {
  EXPECT_EQ(sweep("removes_before_rename", "--kinds kill --at unlink"), 1) << output_;
  EXPECT_EQ(report().at("tallies").at("kill").at("faults"), 2) << "one call, before and after";
  EXPECT_EQ(simrun("replay " + first_case()), 1) << output_;
}

TEST_F(Sweep, NamesThatWouldChangeATerminalAreShownWithoutThat) {
  std::ofstream(folder_ + "/hostile.yaml") << R"(name: "a\e[31mred")"
                                           << "\nstart: {shell: 'exit 1'}\n";
  EXPECT_EQ(simrun("sweep " + folder_ + "/hostile.yaml --kinds kill"), 3) << output_;
  EXPECT_THAT(output_, HasSubstr("[31mred"));
  EXPECT_THAT(output_, testing::Not(HasSubstr("\x1b")));
}

TEST_F(Sweep, ErrorsFindAProgramThatPassesThemOver) {
  EXPECT_EQ(sweep("ignores_errors", "--kinds errno --at 'write .*json.new'"), 1) << output_;
  EXPECT_GT(report().at("tallies").at("errno, once").at("failed"), 0);
  EXPECT_EQ(simrun("replay " + first_case()), 1) << output_;
}

TEST_F(Sweep, ShortWritesFindAProgramThatTrustsTheCount) {
  EXPECT_EQ(sweep("trusts_write_counts", "--kinds short"), 1) << output_;
  EXPECT_EQ(simrun("replay " + first_case()), 1) << output_;
}

// It outlasts every fault but those that leave it waiting.
TEST_F(Sweep, TheNetworkFindsAWaitWithoutALimitAndNothingElse) {
  EXPECT_EQ(sweep("clones_without_a_limit", "--kinds network --at 'request GET' --places 1"), 1) << output_;
  EXPECT_EQ(report().at("network-points").at("git request"), 3);
  for (const auto& [name, tally] : report().at("tallies").items()) {
    const int expected = name == "network, half-open" ? 2 : name == "network, stall" ? 1 : 0;
    EXPECT_EQ(tally.at("failed"), expected) << name << "\n" << output_;
    EXPECT_EQ(tally.at("unknown"), 0) << name << "\n" << output_;
  }
  EXPECT_EQ(simrun("replay " + first_case()), 1) << output_;
  EXPECT_THAT(output_, HasSubstr("waits in"));
}

TEST_F(Sweep, ACaseWhoseFaultPointIsGoneNoLongerApplies) {
  EXPECT_EQ(sweep("trusts_write_counts", "--kinds short"), 1) << output_;
  auto changed = load_case(first_case());
  ASSERT_TRUE(changed.has_value());
  changed->fault.point.path = "/workspace/another.json";
  const std::string path = folder_ + "/changed.json";
  std::ofstream(path) << to_json(*changed, "");
  EXPECT_EQ(simrun("replay " + path), 2) << output_;
  EXPECT_THAT(output_, HasSubstr("no longer applies"));
}

TEST_F(Sweep, ABudgetEndsASweepAndSaysWhatWasCovered) {
  EXPECT_EQ(sweep("sound", "--kinds kill,errno --worlds 2"), 0) << output_;
  EXPECT_EQ(report().at("played"), 2);
}

TEST_F(Sweep, WhatCannotBeSweptIsASetupError) {
  EXPECT_EQ(simrun("sweep --kinds nonsense " PROJECT_SOURCE_DIR "/tests/teeth/sweep/sound.yaml"), 3);
  EXPECT_THAT(output_, HasSubstr("there is no kind of fault \"nonsense\""));
  EXPECT_EQ(simrun("replay " PROJECT_SOURCE_DIR "/README.md"), 3);
  EXPECT_THAT(output_, HasSubstr("is no case"));
}

TEST(Expectations, HoldUnlessTheFaultLasts) {
  scenario::Scenario scenario;
  scenario.expect.log = {"the new script"};
  Fault fault;
  fault.kind = Kind::kErrno;
  EXPECT_EQ(expected_with(fault, scenario).expect.log.size(), 1U);
  fault.persistent = true;
  EXPECT_THAT(expected_with(fault, scenario).expect.log, testing::IsEmpty());
  fault.kind = Kind::kNetwork;
  fault.network = {.fault = "reset", .times = 1};
  EXPECT_EQ(expected_with(fault, scenario).expect.log.size(), 1U);
  fault.network.times = 0;
  EXPECT_THAT(expected_with(fault, scenario).expect.log, testing::IsEmpty());
  fault.kind = Kind::kKill;
  EXPECT_EQ(expected_with(fault, scenario).expect.log.size(), 1U);
}

TEST(Address, SaysNothingOfRandomNamesNumbersAndObjects) {
  EXPECT_EQ(without_random_names("/w/.git/objects/pack/tmp_pack_Ab3xYz"),
            without_random_names("/w/.git/objects/pack/tmp_pack_Q9kk21"));
  EXPECT_EQ(without_random_names("/w/.git/objects/pack/pack_git2_a1b2c3d4e5f60718"),
            without_random_names("/w/.git/objects/pack/pack_git2_0918273645afbecd"));
  EXPECT_EQ(without_random_names("/w/.git/objects/3f/0123456789abcdef0123456789abcdef012345"),
            without_random_names("/w/.git/objects/a1/f123456789abcdef0123456789abcdef012345"));
  EXPECT_EQ(without_random_names("/run/state.json.new.4711"), without_random_names("/run/state.json.new.12"));
  EXPECT_NE(without_random_names("/w/a.json"), without_random_names("/w/b.json"));
}

}  // namespace
}  // namespace sweep
