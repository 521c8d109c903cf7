#include "launcher/config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "launcher/config/duration.h"
#include "launcher/config/nearest.h"
#include "launcher/config/size.h"
#include "launcher/config/words.h"

namespace {

using config::Config;
using config::DoneWhen;
using config::Environment;
using config::understand;
using testing::ElementsAre;
using testing::HasSubstr;

using Words = std::vector<std::string>;

const Words kMinimal = {
    "--repo", "https://example.org/a.git", "--checkout", "/workspace/a", "--", "bash", "train.sh", "--repo", "x"};

class ConfigFile : public testing::Test {
 protected:
  std::string write(const std::string& text) {
    const std::string path = testing::TempDir() + "config_test_" + std::to_string(::getpid()) + ".yaml";
    std::ofstream(path) << text;
    return path;
  }
};

std::string error_of(const Words& words, const Environment& environment = {}) {
  const auto invocation = understand(words, environment);
  return invocation ? "" : invocation.error().message();
}

std::string refusal_of(Config config, const Environment& environment = {}) {
  const auto valid = config::validate(config, environment);
  return valid ? "" : valid.error().message();
}

config::Config config_of(const Words& words) {
  const auto understood = understand(words, {});
  EXPECT_TRUE(understood.has_value()) << (understood ? "" : understood.error().message());
  return understood ? understood->config : config::Config{};
}

Config usable() {
  Config config = understand(kMinimal, {})->config;
  return config;
}

TEST(Config, WordsAfterTheSeparatorBelongToTheTraining) {
  const auto invocation = understand(kMinimal, {});
  ASSERT_TRUE(invocation) << invocation.error().message();
  EXPECT_EQ(invocation->command, config::Command::kRun);
  EXPECT_THAT(invocation->config.train, ElementsAre("bash", "train.sh", "--repo", "x"));
  EXPECT_EQ(invocation->config.repo, "https://example.org/a.git");
  EXPECT_EQ(refusal_of(invocation->config), "");
}

TEST(Config, RepeatedFlagsKeepTheirOrderAndShellText) {
  const auto invocation = understand({"--setup", "pip install -e .", "--setup", "-q; echo a,b", "--", "x"}, {});
  ASSERT_TRUE(invocation) << invocation.error().message();
  EXPECT_THAT(invocation->config.setup, ElementsAre("pip install -e .", "-q; echo a,b"));
}

TEST_F(ConfigFile, FlagBeatsVariableBeatsFile) {
  const std::string path = write("repo: file\nref: file\nrun: file\n");
  const Environment environment{
      {"PODLAUNCH_REF", "variable"}, {"PODLAUNCH_RUN", "variable"}, {"PODLAUNCH_CONFIG", path}};
  const auto invocation = understand({"--run", "flag"}, environment);
  ASSERT_TRUE(invocation) << invocation.error().message();
  EXPECT_EQ(invocation->config.repo, "file");
  EXPECT_EQ(invocation->config.ref, "variable");
  EXPECT_EQ(invocation->config.run, "flag");
}

TEST_F(ConfigFile, SameNamesWorkInAllThreeSources) {
  const std::string path = write(
      "setup: [pip install -e ., make]\nsecret: WANDB_API_KEY\nenv: {A: 1, B: two}\ntrain: bash 'a b' c\n"
      "done-when: ['exit:0', 'file:/x/*.done']\nmax-hours: 1.5\nallow-restart-from-zero: true\ngpus: 2\n");
  const auto invocation = understand({"--config", path}, {});
  ASSERT_TRUE(invocation) << invocation.error().message();
  const Config& config = invocation->config;
  EXPECT_THAT(config.setup, ElementsAre("pip install -e .", "make"));
  EXPECT_THAT(config.secrets, ElementsAre("WANDB_API_KEY"));
  EXPECT_THAT(config.environment, ElementsAre(std::pair("A", "1"), std::pair("B", "two")));
  EXPECT_THAT(config.train, ElementsAre("bash", "a b", "c"));
  EXPECT_EQ(config.max_time, std::chrono::minutes(90));
  EXPECT_TRUE(config.allow_restart_from_zero);
  EXPECT_EQ(config.gpus, 2);
  EXPECT_THAT(config.done_when,
              ElementsAre(DoneWhen{}, DoneWhen{.kind = DoneWhen::Kind::kFile, .exit_code = 0, .pattern = "/x/*.done"}));
  const auto variables = understand(
      {},
      {{"PODLAUNCH_SETUP", "pip install -e .\nmake"}, {"PODLAUNCH_MAX_HOURS", "90min"}, {"PODLAUNCH_TRAIN", "bash x"}});
  ASSERT_TRUE(variables) << variables.error().message();
  EXPECT_THAT(variables->config.setup, ElementsAre("pip install -e .", "make"));
  EXPECT_EQ(variables->config.max_time, std::chrono::minutes(90));
  EXPECT_THAT(variables->config.train, ElementsAre("bash", "x"));
}

TEST_F(ConfigFile, UnknownKeyNamesFileLineAndTheNearestKey) {
  const std::string path = write("repo: a\ncheckpoint: /x\n");
  EXPECT_THAT(error_of({"--config", path}),
              testing::AllOf(HasSubstr(path + ":2"), HasSubstr("\"checkpoint\""), HasSubstr("\"checkpoints\"")));
}

TEST_F(ConfigFile, BrokenYamlNamesFileAndLine) {
  const std::string path = write("repo: a\nsetup: [a\n");
  EXPECT_THAT(error_of({"--config", path}), HasSubstr(path + ":"));
  EXPECT_THAT(error_of({"--config", write("repo: [a, b]\n")}), HasSubstr("takes one value"));
  EXPECT_THAT(error_of({"--config", write("- a\n")}), HasSubstr("a map of names"));
  EXPECT_THAT(error_of({"--config", "/nowhere.yaml"}), HasSubstr("/nowhere.yaml"));
}

TEST(Config, UnknownFlagVariableAndCommandNameTheNearest) {
  EXPECT_THAT(error_of({"--chekout", "/x"}), HasSubstr("--checkout"));
  EXPECT_THAT(error_of({}, {{"PODLAUNCH_CHEKOUT", "/x"}}), HasSubstr("PODLAUNCH_CHECKOUT"));
  EXPECT_THAT(error_of({"statsu"}), HasSubstr("\"status\""));
  EXPECT_THAT(error_of({"--repo", "a", "bash"}), HasSubstr("\"--\""));
}

TEST(Config, VariablesGivenToTheTrainingAreNoSettings) {
  EXPECT_EQ(error_of({}, {{"PODLAUNCH_RUN_ID", "x"}, {"PODLAUNCH_ATTEMPT", "1"}, {"PODLAUNCH_RESUME_FROM", ""}}), "");
}

TEST(Config, ValuesOfTheWrongFormAreRefused) {
  EXPECT_THAT(error_of({"--gpus", "many"}), HasSubstr("whole number"));
  EXPECT_THAT(error_of({"--max-attempts", "0"}), HasSubstr("at least 1"));
  for (const char* attempt : {"0", "-1", "one", "", "1x", "99999999999"})
    EXPECT_THAT(error_of({"logs", "--attempt", attempt}),
                HasSubstr("the number of no attempt. They are counted from 1"));
  EXPECT_THAT(error_of({"--grace", "soon"}), HasSubstr("not a duration"));
  EXPECT_THAT(error_of({"--price", "free"}), HasSubstr("not an amount"));
  EXPECT_THAT(error_of({"--max-cost", "0"}), HasSubstr("not an amount"));
  EXPECT_THAT(error_of({"--max-cost", "nan"}), HasSubstr("not an amount"));
  EXPECT_THAT(error_of({"--done-when", "exit:x"}), HasSubstr("exit:0, file:GLOB or log:REGEX"));
  EXPECT_THAT(error_of({"--done-when", "log:("}), HasSubstr("not a regular expression"));
  EXPECT_THAT(error_of({"--step-regex", "step"}), HasSubstr("parentheses"));
  EXPECT_THAT(error_of({"--env", "A B=1"}), HasSubstr("NAME=VALUE"));
  EXPECT_THAT(error_of({"--checkout", "here"}), HasSubstr("absolute"));
  EXPECT_THAT(error_of({"--update", "sometimes"}), HasSubstr("until-checkpoint"));
  EXPECT_THAT(error_of({"--run", "../x"}), HasSubstr("cannot name a run"));
  EXPECT_THAT(error_of({"--repo", "a", "--repo", "b"}), HasSubstr("2 times"));
}

TEST(Config, WhatHappensAtTheEndIsChosen) {
  EXPECT_EQ(config_of({"--on-complete", "stop-pod"}).on_complete, config::OnComplete::kStopPod);
  EXPECT_EQ(config_of({"--on-complete", "terminate-pod"}).on_complete, config::OnComplete::kTerminatePod);
  EXPECT_THAT(error_of({"--on-complete", "stop"}), HasSubstr("none of hold, exit, stop-pod, terminate-pod"));
  EXPECT_EQ(config_of({"--hold-for", "45min"}).hold_for, config::Seconds(2700));
  EXPECT_EQ(config_of({"--hold-for", "ever"}).hold_for, config::Seconds::max());
  EXPECT_EQ(config_of({"--provider", "none"}).provider, config::Provider::kNone);
  EXPECT_THAT(error_of({"--provider", "vast"}), HasSubstr("none of runpod, none"));
}

TEST(Config, NotificationsGoToUrlsAndCommands) {
  const config::Config config =
      config_of({"--notify", "https://hooks.example/T0/secret-part", "--notify", "mail -s $X me"});
  EXPECT_EQ(config.notify.size(), 2U);
  EXPECT_THAT(error_of({"--notify", "ftp://hooks.example/"}), HasSubstr("neither an http(s) URL nor a command"));
  EXPECT_THAT(config::describe(config), HasSubstr("https://hooks.example/…"));
  EXPECT_THAT(config::describe(config), testing::Not(HasSubstr("secret-part")));
  EXPECT_EQ(config::notify_name("http://me:pass@host"), "http://host/…");
}

TEST(Validate, CheckoutOfTheSystemOrTheHomeFolderIsRefused) {
  for (const char* folder : {"/", "/root", "/tmp", "/workspace/..", "/home/me"}) {
    Config config = usable();
    config.checkout = understand({"--checkout", folder}, {})->config.checkout;
    EXPECT_NE(refusal_of(config, {{"HOME", "/home/me/"}}), "") << folder;
  }
}

TEST(Validate, PasswordInTheUrlIsRefusedAndNotRepeated) {
  for (const char* url : {"https://me:hunter22@example.org/a.git", "https://hunter22@example.org/a.git"}) {
    Config config = usable();
    config.repo = url;
    EXPECT_THAT(refusal_of(config), testing::AllOf(HasSubstr("password"), testing::Not(HasSubstr("hunter22"))));
  }
  Config config = usable();
  for (const char* url : {"git@github.com:a/b.git", "ssh://git@example.org/a.git", "/srv/a.git"}) {
    config.repo = url;
    EXPECT_EQ(refusal_of(config), "") << url;
  }
}

TEST(Validate, RefThatLooksLikeAnOptionIsRefused) {
  for (const char* ref : {"--upload-pack=x", "-q", "a b", "a..b", "a:b"}) {
    Config config = usable();
    config.ref = ref;
    EXPECT_NE(refusal_of(config), "") << ref;
  }
}

TEST(Validate, MissingAndPlaceholderSecretsAreRefused) {
  Config config = usable();
  config.secrets = {"WANDB_API_KEY"};
  EXPECT_THAT(refusal_of(config), HasSubstr("WANDB_API_KEY is not set"));
  for (const char* value :
       {"", " ", "changeme", "your_key_here", "YOUR_API_KEY", "<key>", "xxxxxx", "${WANDB_API_KEY}"}) {
    EXPECT_THAT(refusal_of(config, {{"WANDB_API_KEY", value}}), HasSubstr("placeholder")) << value;
  }
  EXPECT_EQ(refusal_of(config, {{"WANDB_API_KEY", "0f3a99c1d2"}}), "");
  config.secrets.clear();
  config.optional_secrets = {"HF_TOKEN"};
  EXPECT_EQ(refusal_of(config), "");
  EXPECT_THAT(refusal_of(config, {{"HF_TOKEN", "<token>"}}), HasSubstr("placeholder"));
}

TEST(RunId, DependsOnRepositoryRefAndCommandAlone) {
  Config config = usable();
  const std::string id = config::run_id(config);
  config.setup = {"make"};
  config.checkout = "/elsewhere";
  EXPECT_EQ(config::run_id(config), id);
  config.train.push_back("2hour");
  EXPECT_NE(config::run_id(config), id);
  config.run = "mine";
  EXPECT_EQ(config::run_id(config), "mine");
}

TEST(Duration, CommonFormsAreUnderstood) {
  using std::chrono::seconds;
  EXPECT_EQ(*config::parse_duration("90s"), seconds(90));
  EXPECT_EQ(*config::parse_duration("30min"), seconds(1800));
  EXPECT_EQ(*config::parse_duration("2h"), seconds(7200));
  EXPECT_EQ(*config::parse_duration("1h30min"), seconds(5400));
  EXPECT_EQ(*config::parse_duration("1.5 h"), seconds(5400));
  EXPECT_EQ(*config::parse_duration("3", seconds(3600)), seconds(10800));
  for (const char* text : {"", "h", "-1s", "1x", "1s2", "1e30d", "nan"})
    EXPECT_FALSE(config::parse_duration(text)) << text;
}

TEST(Nearest, FarWordsHaveNoNeighbour) {
  EXPECT_EQ(config::nearest("chekpoint", {"checkout", "checkpoints"}), "checkpoints");
  EXPECT_EQ(config::nearest("banana", {"checkout", "checkpoints"}), "");
}

TEST(Words, QuotesAndEscapesAreUnderstood) {
  EXPECT_THAT(*config::split_words(R"(a 'b c' "d \" e" f\ g "")"), ElementsAre("a", "b c", "d \" e", "f g", ""));
  EXPECT_FALSE(config::split_words("a 'b"));
}

TEST(Config, SizesAreReadAndWrittenInTheirUnits) {
  EXPECT_EQ(config::parse_size("20GiB").value_or(0), std::uint64_t{20} << 30U);
  EXPECT_EQ(config::parse_size("500MB").value_or(0), 500'000'000U);
  EXPECT_EQ(config::parse_size("1.5k").value_or(0), 1536U);
  EXPECT_EQ(config::parse_size("7").value_or(0), 7U);
  for (const char* wrong : {"", "-1", "3 apples", "GiB", "9e30", "1Gi"})
    EXPECT_FALSE(config::parse_size(wrong)) << wrong;
  EXPECT_EQ(config::format_size(std::uint64_t{20} << 30U), "20 GiB");
  EXPECT_EQ(config::format_size(1500), "1500 bytes");
}

TEST(Config, TokenIsNamedAndNeverRepeated) {
  const std::string refusal = error_of({"--git-token-env", "ghp_abc-secret", "--", "x"});
  EXPECT_THAT(refusal, HasSubstr("named by its variable"));
  EXPECT_THAT(refusal, testing::Not(HasSubstr("ghp_abc")));
  EXPECT_EQ(error_of({"--git-token-env", "MY_TOKEN", "--", "x"}), "");
}

TEST(Validate, CheckoutInAFolderOfGitOrOfOursIsRefused) {
  Config config = usable();
  for (const char* place : {"/workspace/a/.git", "/workspace/a/.git/hooks", "/workspace/.podlaunch/a"}) {
    config.checkout = place;
    EXPECT_THAT(refusal_of(config), HasSubstr("lies inside")) << place;
  }
  config.checkout = "/workspace/state/a";
  config.state = "/workspace/state";
  EXPECT_THAT(refusal_of(config), HasSubstr("inside each other"));
  config.checkout = "/workspace/a";
  config.state = "/workspace/a/.git/state";
  EXPECT_THAT(refusal_of(config), HasSubstr("inside each other"));
  config.state = "/workspace/a-state";
  EXPECT_EQ(refusal_of(config), "");
}

}  // namespace
