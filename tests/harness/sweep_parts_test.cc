// Sweeps spread over several processes, as deploy/ci/ spreads them over machines: together exactly the whole.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <yaml-cpp/yaml.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;

constexpr const char* kTeeth = PROJECT_SOURCE_DIR "/tests/teeth/sweep/";

struct Ended {
  int status = -1;
  std::string output;
};

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size())
    text.replace(at, what.size(), with);
  return text;
}

class SweepParts : public testing::Test {
 protected:
  SweepParts() {
    std::string pattern = fs::temp_directory_path() / "sweep-parts-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~SweepParts() override { fs::remove_all(folder_); }

  Ended run(const std::string& script) {
    const std::string command = "cd " + folder_ + " && { " + script + "; } 2>&1 </dev/null";
    Ended ended;
    FILE* pipe = ::popen(command.c_str(), "r");
    std::array<char, 4096> buffer;
    std::size_t size = 0;
    while ((size = ::fread(buffer.data(), 1, buffer.size(), pipe)) > 0) ended.output.append(buffer.data(), size);
    const int status = ::pclose(pipe);
    ended.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return ended;
  }
  Ended simrun(const std::string& words, const std::string& environment = "") {
    return run(environment + " timeout 100 " PROJECT_BIN_DIR "/simrun " + words);
  }
  Ended sweep(const std::string& tooth, const std::string& words, const std::string& environment = "") {
    return simrun("sweep " + (kTeeth + tooth) + ".yaml -j 1 --cases cases " + words, environment);
  }
  json report(const std::string& name) {
    std::ifstream file(folder_ + "/" + name);
    return json::parse(file).at(0);
  }
  static std::multiset<std::string> failures_of(const json& report) {
    std::multiset<std::string> texts;
    for (const auto& failure : report.at("failures")) texts.insert(failure.at("text").get<std::string>());
    return texts;
  }

  std::string folder_;
};

// Every world of this sweep fails, so that each can be told by its name.
TEST_F(SweepParts, AreTogetherExactlyTheWhole) {
  const std::string words = "--kinds errno --at '(write|fsync) /workspace/[ab]' ";
  EXPECT_EQ(sweep("fails_everywhere", words + "--json whole.json").status, 1);
  const json whole = report("whole.json");
  ASSERT_GT(whole.at("failures").size(), 6U);
  std::multiset<std::string> together;
  std::string reports;
  for (int part = 1; part <= 3; ++part) {
    const std::string name = "part" + std::to_string(part) + ".json";
    (void)sweep("fails_everywhere", words + "--shard " + std::to_string(part) + "/3 --json " + name);
    together.merge(failures_of(report(name)));
    reports += " " + name;
  }
  EXPECT_EQ(together, failures_of(whole));
  const auto merged = simrun("merge" + reports + " --json all.json --junit all.xml");
  EXPECT_EQ(merged.status, 1) << merged.output;
  const json all = report("all.json");
  EXPECT_EQ(failures_of(all), failures_of(whole));
  for (const auto& [kind, tally] : whole.at("tallies").items())
    EXPECT_EQ(all.at("tallies").at(kind).at("faults"), tally.at("faults")) << kind;
  EXPECT_EQ(all.at("part").at("points"), whole.at("points"));
}

// Kills between which no disk changes are one world, in each part for itself: what they stand for must still add up.
TEST_F(SweepParts, CoverEveryKillWhateverTheyPlayOnce) {
  EXPECT_EQ(sweep("sound", "--kinds kill,power --json whole.json").status, 0);
  for (const std::string part : {"1", "2"})
    EXPECT_EQ(sweep("sound", "--kinds kill,power --shard " + part + "/2 --json part" + part + ".json").status, 0);
  EXPECT_EQ(simrun("merge part1.json part2.json --json all.json").status, 0);
  for (const auto& [kind, tally] : report("whole.json").at("tallies").items())
    EXPECT_EQ(report("all.json").at("tallies").at(kind).at("faults"), tally.at("faults")) << kind;
}

TEST_F(SweepParts, DrawTheSamePointsAndShareTheWorlds) {
  std::size_t played = 0;
  for (const std::string part : {"0", "1", "2"}) {
    const auto ended = sweep("sound", "--kinds errno,kill --points 3 --worlds 7 --json part" + part + ".json",
                             "JOB_COMPLETIONS=3 JOB_COMPLETION_INDEX=" + part + " TEST_SHARD_STATUS_FILE=status");
    EXPECT_EQ(ended.status, 0) << ended.output;
    played += report("part" + part + ".json").at("played").get<std::size_t>();
  }
  EXPECT_LE(played, 7U);
  EXPECT_GT(played, 0U);
  EXPECT_TRUE(fs::exists(folder_ + "/status"));
  EXPECT_EQ(simrun("merge part0.json part1.json part2.json").status, 0);
}

TEST_F(SweepParts, WhatIsMissingOrOfAnotherSweepIsNotCovered) {
  for (const std::string part : {"1", "2"})
    (void)sweep("sound", "--kinds kill --shard " + part + "/2 --json part" + part + ".json");
  (void)sweep("sound", "--kinds short --shard 2/2 --json other.json");
  EXPECT_EQ(simrun("merge part1.json part2.json").status, 0);
  const auto alone = simrun("merge part2.json");
  EXPECT_EQ(alone.status, 2);
  EXPECT_THAT(alone.output, HasSubstr("part 1 of 2, of which there is no report"));
  const auto mixed = simrun("merge part1.json other.json");
  EXPECT_EQ(mixed.status, 2);
  EXPECT_THAT(mixed.output, HasSubstr("part 2 of 2 missed"));
  const auto twice = simrun("merge part1.json part1.json");
  EXPECT_EQ(twice.status, 3);
  EXPECT_THAT(twice.output, HasSubstr("is in two reports"));
}

// --- The splits in deploy/ci/, as they stand there, but for the scenario and the size -------------------------------

std::string shorter(std::string command) {
  command = std::regex_replace(command, std::regex(R"(\S*scenarios/\S+\.yaml( \S*scenarios/\S+\.yaml)*)"),
                               std::string(kTeeth) + "sound.yaml --kinds kill -j 1");
  return std::regex_replace(command, std::regex(R"(--worlds \d+)"), "--worlds 4");
}

TEST_F(SweepParts, TheMatrixOfGitHubActionsIsTheWhole) {
  const YAML::Node jobs = YAML::LoadFile(PROJECT_SOURCE_DIR "/deploy/ci/github-actions.yaml")["jobs"];
  const auto shards = jobs["part"]["strategy"]["matrix"]["shard"].as<std::vector<std::string>>();
  std::string sweeps;
  std::string merges;
  for (const auto& step : jobs["part"]["steps"]) {
    const auto command = step["run"].as<std::string>("");
    if (command.find("simrun sweep ") != std::string::npos) sweeps = command;
  }
  for (const auto& step : jobs["whole"]["steps"]) {
    const auto command = step["run"].as<std::string>("");
    if (command.find("simrun merge sweep-") != std::string::npos) merges = command;
  }
  ASSERT_FALSE(sweeps.empty());
  ASSERT_FALSE(merges.empty());
  sweeps =
      shorter(replaced(replaced(sweeps, "./dev simrun", PROJECT_BIN_DIR "/simrun"), "${{ github.run_number }}", "7"));
  for (const auto& shard : shards) {
    const auto ended = run(replaced(sweeps, "${{ matrix.shard }}", shard));
    EXPECT_EQ(ended.status, 0) << ended.output;
  }
  const auto merged = run(replaced(merges, "./dev simrun", PROJECT_BIN_DIR "/simrun"));
  EXPECT_EQ(merged.status, 0) << merged.output;
  EXPECT_TRUE(fs::exists(folder_ + "/sweep.xml"));
}

TEST_F(SweepParts, TheIndexedJobOfKubernetesIsTheWhole) {
  YAML::Node job;
  for (const auto& document : YAML::LoadAllFromFile(PROJECT_SOURCE_DIR "/deploy/ci/kubernetes-job.yaml")) {
    if (document["metadata"]["name"].as<std::string>() == "sweeps") job.reset(document["spec"]);
  }
  ASSERT_TRUE(job.IsMap());
  const int completions = job["completions"].as<int>();
  const YAML::Node container = job["template"]["spec"]["containers"][0];
  ASSERT_EQ(container["env"][0]["name"].as<std::string>(), "JOB_COMPLETIONS");
  ASSERT_EQ(container["env"][0]["value"].as<int>(), completions);
  ASSERT_EQ(container["command"][1].as<std::string>(), "-c");
  std::string script = container["command"][2].as<std::string>();
  script = shorter(replaced(script, "/opt/podlaunch/bin/simrun", PROJECT_BIN_DIR "/simrun"));
  script = replaced(script, "/reports/", folder_ + "/");
  for (int index = 0; index < completions; ++index) {
    const auto ended = run("export JOB_COMPLETIONS=" + std::to_string(completions) +
                           " JOB_COMPLETION_INDEX=" + std::to_string(index) + "; (" + script + ")");
    EXPECT_EQ(ended.status, 0) << ended.output;
  }
  const auto merged = simrun("merge sweep-*.json");
  EXPECT_EQ(merged.status, 0) << merged.output;
}

}  // namespace
