#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "launcher/provider/account.h"

namespace provider {
namespace {

using base::ErrorCode;
using testing::HasSubstr;
using testing::Not;

ErrorCode code_of(const base::Result<void>& result) {
  EXPECT_FALSE(result.has_value());
  return result ? ErrorCode::kUnsupported : result.error().code;
}

TEST(Rest, StatusesOfAPodAreTold) {
  EXPECT_EQ(read_rest_state({200, R"({"id": "a", "status": "RUNNING"})"}), PodState::kUp);
  EXPECT_EQ(read_rest_state({200, R"({"id": "a", "status": "PROVISIONING"})"}), PodState::kUp);
  EXPECT_EQ(read_rest_state({200, R"({"id": "a", "status": "EXITED"})"}), PodState::kStopped);
  EXPECT_EQ(read_rest_state({200, R"({"id": "a", "status": "TERMINATED"})"}), PodState::kGone);
  EXPECT_EQ(read_rest_state({404, ""}), PodState::kGone);
}

TEST(Rest, OddAnswersAreErrors) {
  for (const char* body : {"", "null", "[]", "[\"RUNNING\"]", "7", "{}", R"({"status": 7})", R"({"status": "MAYBE"})",
                           R"({"status": null})", "<html>", "{\"status\": \"EXI"}) {
    const auto state = read_rest_state({200, body});
    ASSERT_FALSE(state.has_value()) << body;
    EXPECT_EQ(state.error().code, ErrorCode::kDamaged) << body;
  }
  for (const char* body : {"", "null", "[]", "<html>"})
    EXPECT_EQ(code_of(read_rest_ending({200, body}, Ending::kStop)), ErrorCode::kDamaged) << body;
}

TEST(Rest, ErrorStatusesAreToldApart) {
  const auto ending = [](int status) { return read_rest_ending({status, R"({"detail": "why"})"}, Ending::kStop); };
  EXPECT_TRUE(ending(200).has_value());
  EXPECT_EQ(code_of(ending(401)), ErrorCode::kAuthentication);
  EXPECT_EQ(code_of(ending(403)), ErrorCode::kAuthentication);
  EXPECT_EQ(code_of(ending(404)), ErrorCode::kNotFound);
  EXPECT_EQ(code_of(ending(409)), ErrorCode::kAlreadyExists);
  EXPECT_EQ(code_of(ending(429)), ErrorCode::kBusy);
  EXPECT_EQ(code_of(ending(503)), ErrorCode::kNetwork);
  EXPECT_EQ(code_of(ending(307)), ErrorCode::kDamaged);
  EXPECT_THAT(ending(503).error().message(), HasSubstr("HTTP 503: why"));
}

TEST(Rest, ATerminatedPodThatIsNotThereIsWhatWasAskedFor) {
  EXPECT_TRUE(read_rest_ending({204, ""}, Ending::kTerminate).has_value());
  EXPECT_TRUE(read_rest_ending({404, ""}, Ending::kTerminate).has_value());
}

TEST(Graphql, ErrorsAreRefusalsWhateverTheDataAre) {
  EXPECT_TRUE(read_graphql_ending({200, R"({"data": {"podStop": {"id": "a"}}})"}, Ending::kStop).has_value());
  EXPECT_TRUE(read_graphql_ending({200, R"({"data": {"podTerminate": null}})"}, Ending::kTerminate).has_value());
  EXPECT_EQ(code_of(read_graphql_ending({200, R"({"errors": [{"message": "no"}], "data": null})"}, Ending::kStop)),
            ErrorCode::kAuthentication);
  EXPECT_EQ(code_of(read_graphql_ending({200, R"({"errors": [{"message": "no"}], "data": {"podStop": {"id": "a"}}})"},
                                        Ending::kStop)),
            ErrorCode::kAuthentication);
  for (const char* body : {"", "[]", "{}", R"({"data": 7})", R"({"data": {}})", R"({"data": {"podStop": null}})"})
    EXPECT_EQ(code_of(read_graphql_ending({200, body}, Ending::kStop)), ErrorCode::kDamaged) << body;
}

TEST(Graphql, AnUnknownPodIsGone) {
  EXPECT_EQ(read_graphql_state({200, R"({"data": {"pod": null}})"}), PodState::kGone);
  EXPECT_EQ(read_graphql_state({200, R"({"data": {"pod": {"desiredStatus": "EXITED"}}})"}), PodState::kStopped);
}

TEST(Errors, QuoteLittleAndNothingThatATerminalObeys) {
  const auto state = read_rest_state({500, R"({"detail": ")" + std::string(5000, 'x') + "\\u001b[2J\"}"});
  ASSERT_FALSE(state.has_value());
  EXPECT_LT(state.error().message().size(), 400U);
  EXPECT_THAT(state.error().message(), Not(HasSubstr("\x1b")));
}

TEST(Account, ComesFromTheEnvironment) {
  std::map<std::string, std::string> environment{{"RUNPOD_POD_ID", "abc123"}, {"RUNPOD_API_KEY", "rpa_0123456789"}};
  ASSERT_TRUE(find_account(Choice::kByEnvironment, environment, ""));
  EXPECT_EQ(find_account(Choice::kByEnvironment, environment, "")->pod, "abc123");
  EXPECT_FALSE(find_account(Choice::kNone, environment, "").has_value());
  EXPECT_FALSE(find_account(Choice::kByEnvironment, {}, "").has_value());
  for (const char* pod : {"", "../x", "a b", "a/b", "a?b"}) {
    environment["RUNPOD_POD_ID"] = pod;
    EXPECT_FALSE(find_account(Choice::kRunpod, environment, "").has_value()) << pod;
  }
}

TEST(Account, AKeyThatIsNoneIsNotSaid) {
  const auto account =
      find_account(Choice::kRunpod, {{"RUNPOD_POD_ID", "abc"}, {"RUNPOD_API_KEY", "bad key\r\nX: y"}}, "");
  ASSERT_FALSE(account.has_value());
  EXPECT_THAT(account.error().message(), Not(HasSubstr("bad key")));
}

TEST(Waits, GrowToTenMinutes) {
  EXPECT_EQ(wait_after(1).count(), 15);
  EXPECT_EQ(wait_after(3).count(), 60);
  EXPECT_EQ(wait_after(50).count(), 600);
}

TEST(Http, MissingCertificatesAreAClearError) {
  const auto bundle = find_ca_bundle({.ca_bundle = "/nonexistent/ca.pem"});
  ASSERT_FALSE(bundle.has_value());
  EXPECT_THAT(bundle.error().message(), HasSubstr("--ca-bundle"));
}

TEST(Http, AUrlThatIsNoneAndAPortThatNobodyListensOnAreErrors) {
  for (const char* url : {"", "ftp://x/", "https://", "http://us er@host/", "api.runpod.io"}) {
    const auto answer = exchange({.method = "GET", .url = url, .headers = {}, .json = {}}, {});
    ASSERT_FALSE(answer.has_value()) << url;
    EXPECT_EQ(answer.error().code, ErrorCode::kInvalidInput) << url;
  }
  const auto answer = exchange({.method = "GET", .url = "http://127.0.0.1:1/?secret", .headers = {}, .json = {}}, {});
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, ErrorCode::kNetwork);
  EXPECT_THAT(answer.error().message(), Not(HasSubstr("secret")));
}

TEST(Http, PartsOfAUrlAreEncoded) {
  EXPECT_EQ(percent_encode("a-Z_0.~"), "a-Z_0.~");
  EXPECT_EQ(percent_encode("a b/&"), "a%20b%2F%26");
}

}  // namespace
}  // namespace provider
