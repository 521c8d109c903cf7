#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>

#include "base/unique_fd.h"
#include "harness/pod/world/network_rules.h"
#include "harness/scenario/parse.h"
#include "harness/services/network/fault_proxy.h"
#include "harness/services/network/http_bytes.h"
#include "harness/services/network/spoilt_answer.h"

namespace services {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using pod::NetworkRule;
using scenario::NetworkFault;
using testing::HasSubstr;
using testing::StartsWith;

// --- As a scenario says it -----------------------------------------------------------------------------------------

base::Result<std::vector<scenario::Scenario>> with_action(const std::string& action) {
  return scenario::parse("name: n\nstart: {shell: \"true\"}\ntimeline:\n  - {when: {boot: 1}, do: " + action + "}\n",
                         "test.yaml");
}

NetworkFault fault_of(const std::string& action) {
  const auto scenarios = with_action(action);
  EXPECT_TRUE(scenarios) << scenarios.error().message();
  if (!scenarios) return {};
  return std::get<NetworkFault>(scenarios->front().timeline.front().action);
}

TEST(NetworkFaultWords, AreReadWhole) {
  const NetworkFault fault = fault_of("{network: reset, service: git, request: 3, times: 2, after: 40%, for: 90s}");
  EXPECT_EQ(fault.fault, "reset");
  EXPECT_EQ(fault.request, 3);
  EXPECT_EQ(fault.times, 2);
  EXPECT_EQ(fault.after_percent, 40);
  EXPECT_EQ(fault.lasting, 90s);
  EXPECT_EQ(fault_of("{network: stall, after: 4KiB}").after_bytes, 4096U);
  EXPECT_EQ(fault_of("{network: slow, rate: 300, for: ever}").bytes_per_second, 300U);
  EXPECT_EQ(fault_of("{network: http-404, service: pip}").service, "pip");
}

TEST(NetworkFaultWords, AFaultWithoutALengthStrikesOnce) {
  EXPECT_EQ(fault_of("{network: http-500}").times, 1);
  EXPECT_EQ(fault_of("{network: http-500, for: 1min}").times, 0);
  EXPECT_EQ(fault_of("{network: http-500, for: ever}").times, 0);
}

TEST(NetworkFaultWords, RefuseWhatMeansNothing) {
  const std::vector<std::pair<std::string, std::string>> wrong{
      {"{network: http-404, after: 10}", "no place within an answer"},
      {"{network: reset, service: pip, after: 10}", "no place within an answer"},
      {"{network: reset, rate: 10}", "is not slow"},
      {"{network: wrong-pack, service: provider}", "provider sends no packs"},
      {"{network: reset, service: provider}", "the world has none"},
      {"{network: reset, service: notify}", "the start command names none"},
      {"{network: reset, after: 101%}", "0% to 100%"},
      {"{network: down, for: 5s, times: 2}", "the whole network is down"},
      {"{network: resett}", "Did you mean \"reset\"?"},
  };
  for (const auto& [action, complaint] : wrong) {
    const auto scenarios = with_action(action);
    ASSERT_FALSE(scenarios) << action;
    EXPECT_THAT(scenarios.error().message(), HasSubstr(complaint)) << action;
  }
}

// --- Which requests are struck -------------------------------------------------------------------------------------

NetworkFault fault(const std::string& name, int request, int times) {
  NetworkFault result;
  result.fault = name;
  result.request = request;
  result.times = times;
  return result;
}

std::string strikes(NetworkRule rule, int requests) {
  std::string marks;
  for (int i = 0; i < requests; ++i) marks += rule.strike(1s) ? 'x' : '.';
  return marks;
}

TEST(NetworkRule, StrikesFromItsRequestOnAsOftenAsItMay) {
  EXPECT_EQ(strikes({.fault = fault("reset", 1, 1)}, 4), "x...");
  EXPECT_EQ(strikes({.fault = fault("reset", 2, 2)}, 5), ".xx..");
  EXPECT_EQ(strikes({.fault = fault("reset", 3, 0)}, 5), "..xxx");
}

TEST(NetworkRule, IsOverWhenItsTimeIs) {
  NetworkRule rule{.fault = fault("reset", 1, 0), .until = 5s};
  EXPECT_TRUE(rule.strike(4s));
  EXPECT_FALSE(rule.strike(5s));
  EXPECT_TRUE(rule.over(5s));
}

TEST(NetworkRule, SurvivesItsFile) {
  NetworkRule rule{.id = 7, .fault = fault("stall", 2, 3), .until = 90s};
  rule.fault.after_bytes = 11;
  rule.fault.after_percent = 12;
  rule.fault.bytes_per_second = 13;
  rule.seen = 14;
  rule.struck = 15;
  const auto read = pod::decode_network_rule(pod::encode(rule));
  ASSERT_TRUE(read);
  EXPECT_EQ(pod::encode(*read), pod::encode(rule));
  EXPECT_EQ(read->until, 90s);
  EXPECT_EQ(read->seen, 14);
  EXPECT_EQ(read->struck, 15);
  EXPECT_FALSE(pod::decode_network_rule("7 stall git"));
}

// --- What becomes of an answer -------------------------------------------------------------------------------------

const std::string kRequest = "GET /a/b.git/info/refs HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n";

std::string pack_answer() {
  const std::string body = "0008NAK\n" + std::string("000b\x02?\nabcd") + "000d\x01PACKwxyz" + "0009\x01last" + "0000";
  return "HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-result\r\nTransfer-Encoding: chunked\r\n\r\n" +
         std::string("8\r\n") + body.substr(0, 8) + "\r\n25\r\n" + body.substr(8) + "\r\n0\r\n\r\n";
}

std::string body_after(NetworkFault one) {
  const auto answer = read_answer(spoil(one, kRequest, pack_answer()).bytes);
  return answer ? answer->body : "no answer";
}

TEST(SpoiltAnswer, APackIsCutOffWithinPacketsThatAreWhole) {
  ASSERT_TRUE(holds_pack(pack_answer()));
  NetworkFault one = fault("truncated-pack", 1, 1);
  one.after_bytes = 6;
  EXPECT_EQ(body_after(one), "0008NAK\n" + std::string("000b\x02?\nabcd") + "000b\x01PACKwx" + "0000");
  EXPECT_THAT(spoil(one, kRequest, pack_answer()).bytes, HasSubstr("Content-Length: 34\r\n"));
  one.after_bytes = 0;
  EXPECT_EQ(body_after(one), "0008NAK\n" + std::string("000b\x02?\nabcd") + "0000");
}

TEST(SpoiltAnswer, AWrongPackHasItsLengthAndOneOtherByte) {
  NetworkFault one = fault("wrong-pack", 1, 1);
  one.after_bytes = 4;
  EXPECT_EQ(body_after(one), "0008NAK\n" + std::string("000b\x02?\nabcd") + "0011\x01PACK" + static_cast<char>(~'w') +
                                 "xyzlast" + "0000");
}

TEST(SpoiltAnswer, EndsInTheMiddleOrWaitsThere) {
  NetworkFault one = fault("reset", 1, 1);
  one.after_percent = 50;
  EXPECT_EQ(spoil(one, kRequest, "0123456789").bytes, "01234");
  EXPECT_EQ(spoil(one, kRequest, "0123456789").end, Delivery::End::kReset);
  one.fault = "stall";
  EXPECT_EQ(spoil(one, kRequest, "0123456789").bytes, "0123456789");
  EXPECT_EQ(spoil(one, kRequest, "0123456789").pause_at, 5U);
}

TEST(SpoiltAnswer, RefusalsAreAnswersOfTheirOwn) {
  EXPECT_TRUE(answers_alone(fault("http-401", 1, 1)));
  EXPECT_THAT(spoil(fault("http-401", 1, 1), kRequest, {}).bytes, StartsWith("HTTP/1.1 401 "));
  EXPECT_THAT(spoil(fault("http-429", 1, 1), kRequest, {}).bytes, HasSubstr("Retry-After: 30\r\n"));
}

TEST(SpoiltAnswer, ARedirectionLeadsOnForEver) {
  const std::string first = spoil(fault("redirect-loop", 1, 1), kRequest, {}).bytes;
  EXPECT_THAT(first, HasSubstr("Location: http://127.0.0.1:1/simrun-loop/a/b.git/info/refs\r\n"));
  const std::string followed = "GET /simrun-loop/a/b.git/info/refs HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n";
  ASSERT_TRUE(is_in_redirect_loop(followed));
  EXPECT_THAT(next_redirect(followed).bytes,
              HasSubstr("Location: http://127.0.0.1:1/simrun-loop/a/b.git/info/refs\r\n"));
}

TEST(HttpBytes, KnowWhenARequestIsWhole) {
  EXPECT_TRUE(request_is_whole("GET / HTTP/1.1\r\n\r\n"));
  EXPECT_FALSE(request_is_whole("GET / HTTP/1.1\r\n"));
  EXPECT_FALSE(request_is_whole("POST / HTTP/1.1\r\ncontent-length: 3\r\n\r\nab"));
  EXPECT_TRUE(request_is_whole("POST / HTTP/1.1\r\ncontent-length: 3\r\n\r\nabc"));
  const std::string chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_FALSE(request_is_whole(chunked + "3\r\nabc\r\n"));
  EXPECT_TRUE(request_is_whole(chunked + "3\r\nabc\r\n0\r\n\r\n"));
}

// --- The proxy, before a service that always says the same ----------------------------------------------------------

int listen_anywhere(int& port) {
  const int listening = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  EXPECT_EQ(::bind(listening, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(::listen(listening, 16), 0);
  ::getsockname(listening, reinterpret_cast<sockaddr*>(&address), &size);
  port = ntohs(address.sin_port);
  return listening;
}

constexpr std::string_view kHonestAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhonest";

[[noreturn]] void serve_honestly(int listening) {
  while (true) {
    const base::UniqueFd client(::accept(listening, nullptr, nullptr));
    std::array<char, 4096> request;
    (void)!::recv(client.get(), request.data(), request.size(), 0);
    (void)!::send(client.get(), kHonestAnswer.data(), kHonestAnswer.size(), MSG_NOSIGNAL);
  }
}

class FaultProxyTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "fault_proxy_test.XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    int behind = 0;
    const int service = listen_anywhere(behind);
    const int front = listen_anywhere(port_);
    children_.push_back(start([&] { serve_honestly(service); }));
    children_.push_back(start([&] {
      const FaultProxy proxy{front, behind, folder_ / "rules", folder_ / "log", "git", {}, {}};
      ::_exit(run_fault_proxy(proxy));
    }));
    ::close(service);
    ::close(front);
  }

  void TearDown() override {
    for (const pid_t child : children_) {
      ::kill(child, SIGKILL);
      ::waitpid(child, nullptr, 0);
    }
    fs::remove_all(folder_);
  }

  template <class Action>
  static pid_t start(Action action) {
    const pid_t child = ::fork();
    if (child != 0) return child;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    action();
    ::_exit(1);
  }

  void begin(NetworkFault one) {
    std::ofstream(folder_ / "rules", std::ios::app) << pod::encode({.id = next_id_++, .fault = std::move(one)}) << "\n";
  }

  // What comes until the connection ends, and "!" when it breaks.
  std::string ask() const {
    const base::UniqueFd socket(::socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port_));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return "not connected";
    (void)!::send(socket.get(), kRequest.data(), kRequest.size(), MSG_NOSIGNAL);
    std::string answer;
    while (true) {
      constexpr int kMillisecondsMax = 60'000;
      pollfd poll_for{socket.get(), POLLIN, 0};
      if (::poll(&poll_for, 1, kMillisecondsMax) != 1) return "nothing for a minute";
      std::array<char, 4096> buffer;
      const ssize_t size = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
      if (size <= 0) return size == 0 ? answer : answer + "!";
      answer.append(buffer.data(), static_cast<std::size_t>(size));
    }
  }

  std::string log() const {
    std::ifstream file(folder_ / "log");
    return {std::istreambuf_iterator<char>(file), {}};
  }

  fs::path folder_;
  int port_ = 0;
  int next_id_ = 0;
  std::vector<pid_t> children_;
};

TEST_F(FaultProxyTest, PassesOnWhatNoRuleConcerns) {
  EXPECT_EQ(ask(), kHonestAnswer);
  EXPECT_EQ(log(), "");
}

TEST_F(FaultProxyTest, SpoilsTheRequestThatTheRuleNames) {
  begin(fault("http-404", 2, 1));
  EXPECT_EQ(ask(), kHonestAnswer);
  EXPECT_THAT(ask(), StartsWith("HTTP/1.1 404 Not Found\r\n"));
  EXPECT_EQ(ask(), kHonestAnswer);
  EXPECT_EQ(log(), "spoilt by 0 http-404: GET /a/b.git/info/refs\n");
}

TEST_F(FaultProxyTest, LearnsOfAFaultThatBeginsLater) {
  EXPECT_EQ(ask(), kHonestAnswer);
  NetworkFault one = fault("reset", 1, 1);
  one.after_bytes = 12;
  begin(one);
  // What was sent before the break may be lost with it.
  EXPECT_THAT(ask(), testing::AnyOf("HTTP/1.1 200!", "!"));
  EXPECT_EQ(ask(), kHonestAnswer);
}

}  // namespace
}  // namespace services
