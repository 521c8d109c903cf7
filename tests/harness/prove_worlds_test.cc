// What `simrun prove` says about the policy, held against worlds with real binaries in them.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "harness/proof/conformance.h"
#include "harness/proof/tooth.h"

namespace proof {

void PrintTo(const Mutation& mutation, std::ostream* out) {
  *out << mutation.name;
}

namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

struct Ran {
  int status = -1;
  std::string output;
};

Ran simrun(const std::string& arguments) {
  Ran ran;
  // A limit against hanging, and no more: what is tested does not depend on how long it takes.
  FILE* output = ::popen(fmt::format("timeout 100 {}/simrun {} 2>&1", PROJECT_BIN_DIR, arguments).c_str(), "r");
  if (output == nullptr) return ran;
  std::array<char, 65536> buffer{};
  for (std::size_t size = 0; (size = std::fread(buffer.data(), 1, buffer.size(), output)) > 0;)
    ran.output.append(buffer.data(), size);
  const int status = ::pclose(output);
  if (WIFEXITED(status)) ran.status = WEXITSTATUS(status);
  return ran;
}

std::string tooth_of(const Mutation& mutation) {
  return fmt::format("{}/teeth/podlaunch-{}", PROJECT_BIN_DIR, mutation.name);
}

class Folder {
 public:
  Folder() {
    std::string name = fs::temp_directory_path() / "prove_worlds_test_XXXXXX";
    path_ = ::mkdtemp(name.data());
  }
  ~Folder() { fs::remove_all(path_); }
  fs::path file(const std::string& name) const { return path_ / name; }

 private:
  fs::path path_;
};

class Tooth : public ::testing::TestWithParam<Mutation> {};

TEST_P(Tooth, IsRefutedForTheRightReason) {
  const ProveResult result = prove_tooth(GetParam());
  ASSERT_FALSE(result.proven());
  EXPECT_EQ(result.refutation->promise, GetParam().promise);
}

// Where a timeline has words for the path, the world ends as badly as the proof says, and well with the sound policy.
TEST_P(Tooth, EndsInAWorldAsTheProofSays) {
  // Two dozen new pods take their time.
  if (GetParam().name == "forgets-preemptions" && ::getenv("PODLAUNCH_SLOW_TESTS") == nullptr) GTEST_SKIP();
  const Folder folder;
  const fs::path scenario = folder.file("path.yaml");
  const Ran proof = simrun(fmt::format("prove --tooth {} --scenario {}", GetParam().name, scenario.string()));
  EXPECT_EQ(proof.status, 1) << proof.output;
  ASSERT_TRUE(fs::exists(scenario)) << proof.output;
  const Ran bad = simrun(fmt::format("--podlaunch {} {}", tooth_of(GetParam()), scenario.string()));
  EXPECT_EQ(bad.status, 1) << bad.output;
  EXPECT_THAT(bad.output, HasSubstr("--podlaunch " + tooth_of(GetParam())));
  const Ran sound = simrun(scenario.string());
  // 2: it held before all that the path has in store for the bad one had come to pass.
  EXPECT_TRUE(sound.status == 0 || sound.status == 2) << sound.output;
  EXPECT_THAT(sound.output, ::testing::Not(HasSubstr("✗"))) << sound.output;
}

INSTANTIATE_TEST_SUITE_P(All, Tooth, ::testing::ValuesIn(mutations().begin(), mutations().end()),
                         [](const auto& tooth) {
                           std::string name(tooth.param.name);
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

// --- Walks -----------------------------------------------------------------------------------------------------------

TEST(Walks, AreTheSameForTheSameSeedAndOthersForOthers) {
  EXPECT_EQ(random_walk({}, 7).scenario, random_walk({}, 7).scenario);
  EXPECT_NE(random_walk({}, 7).happens, random_walk({}, 8).happens);
}

TEST(Walks, HoldFinishAndTryAnOlderCheckpointSomewhere) {
  std::string decisions;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    for (const std::string& decision : random_walk({}, seed).expected) decisions += decision + "\n";
  }
  EXPECT_THAT(decisions, HasSubstr("hold"));
  EXPECT_THAT(decisions, HasSubstr("finish"));
  EXPECT_THAT(decisions, HasSubstr("try-older-checkpoint"));
}

TEST(Walks, PodlaunchDecidesAsItsModelSays) {
  const Ran ran = simrun("prove --conformance --seed 1 --walks 3 -j 1");
  EXPECT_EQ(ran.status, 0) << ran.output;
  EXPECT_THAT(ran.output, HasSubstr("CONFORMS"));
}

// On a walk that ends in a hold for failures, which is decided without a world: this podlaunch never does that.
TEST(Walks, PodlaunchThatForgetsFailuresIsFoundOut) {
  const auto holds_for_failures = [](const Walk& walk) {
    return std::ranges::any_of(walk.expected, [](const std::string& decision) {
      return decision == "attempt-ended: hold (same-failure)" || decision == "attempt-ended: hold (many-failures)";
    });
  };
  std::uint64_t seed = 1;
  while (seed < 1000 && !holds_for_failures(random_walk({}, seed))) ++seed;
  ASSERT_LT(seed, 1000U);
  const Ran ran = simrun(fmt::format("prove --conformance --seed {} --walks 1 --podlaunch {}", seed,
                                     tooth_of(*find_mutation("forgets-failures"))));
  EXPECT_EQ(ran.status, 1) << ran.output;
  EXPECT_THAT(ran.output, HasSubstr("DIFFERS"));
}

}  // namespace
}  // namespace proof
