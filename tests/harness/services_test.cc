#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "harness/services/answer_digest.h"
#include "harness/services/git_server.h"

namespace services {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

std::string digest(bool in_packets, const std::vector<std::string>& parts) {
  AnswerDigest answer(in_packets);
  for (const std::string& part : parts) answer.add(part);
  return answer.finish();
}

TEST(AnswerDigest, IsSha1WhereThereAreNoPackets) {
  EXPECT_EQ(digest(false, {"ab", "c"}), "a9993e364706816aba3e25717850c26c9cd0d89d");
}

TEST(AnswerDigest, DoesNotDependOnHowAPackWasCutUp) {
  const std::string line = "000dpackfile\n";
  const std::string whole = line +
                            "000b\x01"
                            "PACKxy"
                            "0000";
  const std::string expected = digest(true, {whole});
  EXPECT_EQ(digest(true, {line + "0007\x01"
                                 "PA"
                                 "0009\x01"
                                 "CKxy"
                                 "0000"}),
            expected);
  EXPECT_EQ(digest(true, {line + "000c\x02"
                                 "50%...\n",
                          "000b\x01"
                          "PACKxy"
                          "0005\x01"
                          "0000"}),
            expected);
  std::vector<std::string> letters;
  for (const char letter : whole) letters.emplace_back(1, letter);
  EXPECT_EQ(digest(true, letters), expected);
}

TEST(AnswerDigest, SeesAnotherPackAndOtherLines) {
  const std::string one = digest(true, {"000dpackfile\n"
                                        "0009\x01"
                                        "PACK"
                                        "0000"});
  EXPECT_NE(digest(true, {"000dpackfile\n"
                          "0009\x01"
                          "PACX"
                          "0000"}),
            one);
  EXPECT_NE(digest(true, {"000dpackfila\n"
                          "0009\x01"
                          "PACK"
                          "0000"}),
            one);
  EXPECT_NE(digest(true, {"000dpackfile\n"
                          "0009\x01"
                          "PACK"
                          "000"}),
            one);
}

TEST(AnswerDigest, TakesAPackWithoutPacketsAsItStands) {
  EXPECT_EQ(digest(true, {"0008NAK\nPACK\x01\x02", "\x03"}), digest(true, {"0008NAK\nPACK\x01", "\x02\x03"}));
  EXPECT_NE(digest(true, {"0008NAK\nPACK\x01\x02\x03"}), digest(true, {"0008NAK\nPACK\x01\x02\x04"}));
}

struct Output {
  int exit_code = -1;
  std::string text;
};

Output run(const std::string& command) {
  const std::string bounded =
      "timeout 60 env GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_TERMINAL_PROMPT=0 bash -c '" + command +
      "' 2>&1 < /dev/null";
  Output output;
  FILE* pipe = ::popen(bounded.c_str(), "r");
  std::array<char, 4096> buffer{};
  for (std::size_t count = 0; (count = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
    output.text.append(buffer.data(), count);
  }
  output.exit_code = WEXITSTATUS(::pclose(pipe));
  return output;
}

std::string content(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  std::stringstream text;
  text << stream.rdbuf();
  return text.str();
}

class GitServerTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "git_server_test.XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    const std::string author = "-c user.name=Ada -c user.email=ada@example.org";
    const Output made =
        run("cd " + folder_.string() +
            " && git init -q -b DL4Math work && cd work && printf \"\\0\\r\\n\\377binary\" > blob.bin && "
            "git add . && git " +
            author +
            " commit -q -m one && "
            "mkdir -p ../root/nexthybrid && git clone -q --bare . ../root/nexthybrid/AReaL.git");
    ASSERT_EQ(made.exit_code, 0) << made.text;
    start_server();
  }

  void TearDown() override {
    ::kill(server_, SIGKILL);
    ::waitpid(server_, nullptr, 0);
    fs::remove_all(folder_);
  }

  void start_server() {
    const int listening = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(::bind(listening, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(::listen(listening, 16), 0);
    socklen_t size = sizeof address;
    ::getsockname(listening, reinterpret_cast<sockaddr*>(&address), &size);
    server_ = ::fork();
    if (server_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::_exit(run_git_server({.root = (folder_ / "root").string(), .log = log_file(), .descriptor = listening}));
    }
    ::close(listening);
    base_ = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    url_ = base_ + "/nexthybrid/AReaL.git";
  }

  Output in(const std::string& folder, const std::string& command) {
    return run("cd " + (folder_ / folder).string() + " && " + command);
  }

  std::string log_file() const { return (folder_ / "log").string(); }
  std::string log() const { return content(log_file()); }

  fs::path folder_;
  std::string base_;
  std::string url_;
  pid_t server_ = -1;
};

TEST_F(GitServerTest, CloneBringsEveryByte) {
  const Output cloned = in(".", "git clone -q -b DL4Math " + url_ + " clone");
  EXPECT_EQ(cloned.exit_code, 0) << cloned.text;
  EXPECT_EQ(content(folder_ / "clone/blob.bin"), content(folder_ / "work/blob.bin"));
  EXPECT_EQ(in("clone", "git fsck --full --strict").exit_code, 0);
}

TEST_F(GitServerTest, RepositoryIsKnownWithoutItsSuffix) {
  const Output cloned = in(".", "git clone -q " + base_ + "/nexthybrid/AReaL clone");
  EXPECT_EQ(cloned.exit_code, 0) << cloned.text;
}

TEST_F(GitServerTest, FetchSeesACommitThatCameLater) {
  ASSERT_EQ(in(".", "git clone -q " + url_ + " clone").exit_code, 0);
  ASSERT_EQ(in("work",
               "echo more > more.txt && git add . && git -c user.name=A -c user.email=a@b.c commit -q -m two && "
               "git push -q ../root/nexthybrid/AReaL.git DL4Math")
                .exit_code,
            0);
  const Output fetched = in("clone", "git pull -q && cat more.txt");
  EXPECT_EQ(fetched.exit_code, 0);
  EXPECT_EQ(fetched.text, "more\n");
}

TEST_F(GitServerTest, PushIsRefused) {
  ASSERT_EQ(in(".", "git clone -q " + url_ + " clone").exit_code, 0);
  const Output pushed = in("clone", "git push origin DL4Math:other");
  EXPECT_NE(pushed.exit_code, 0);
  EXPECT_THAT(pushed.text, HasSubstr("403"));
}

TEST_F(GitServerTest, UnknownRepositoryIsNotFound) {
  const Output cloned = in(".", "git clone -q " + base_ + "/nexthybrid/Nothing.git clone");
  EXPECT_NE(cloned.exit_code, 0);
  EXPECT_THAT(cloned.text, HasSubstr("not found"));
  EXPECT_THAT(log(), HasSubstr("/nexthybrid/Nothing.git/info/refs?service=git-upload-pack 404 "));
}

TEST_F(GitServerTest, CompressedRequestIsUnderstood) {
  // A request for many references exceeds 1024 bytes, from where on git compresses it.
  ASSERT_EQ(in("root/nexthybrid/AReaL.git",
               "for number in {1..60}; do printf \"commit refs/heads/branch-$number\\ncommitter A <a@b.c> $number "
               "+0000\\ndata 0\\n\\n\"; done | git fast-import --quiet")
                .exit_code,
            0);
  const Output cloned = in(".", "GIT_TRACE_CURL=1 git clone " + url_ + " clone");
  EXPECT_EQ(cloned.exit_code, 0) << cloned.text;
  EXPECT_THAT(cloned.text, HasSubstr("Content-Encoding: gzip"));
  EXPECT_EQ(in("clone", "git branch -r | wc -l").text, "62\n");
}

TEST_F(GitServerTest, OlderProtocolsAreSpoken) {
  const Output first = in(".", "git -c protocol.version=0 clone -q " + url_ + " zero");
  EXPECT_EQ(first.exit_code, 0) << first.text;
  const Output second = in(".", "GIT_TRACE_PACKET=1 git -c protocol.version=2 clone -q " + url_ + " two");
  EXPECT_THAT(second.text, HasSubstr("version 2"));
}

TEST_F(GitServerTest, SameQuestionsGetTheSameAnswersInTheLog) {
  ASSERT_EQ(in(".", "git clone -q " + url_ + " one").exit_code, 0);
  const std::string before = log();
  ASSERT_EQ(in(".", "git clone -q " + url_ + " two").exit_code, 0);
  EXPECT_EQ(log(), before + before);
  EXPECT_THAT(before, HasSubstr("GET /nexthybrid/AReaL.git/info/refs?service=git-upload-pack 200 "));
  EXPECT_THAT(before, HasSubstr("POST /nexthybrid/AReaL.git/git-upload-pack 200 "));
  EXPECT_THAT(before, Not(HasSubstr("incomplete")));
}

TEST_F(GitServerTest, AClientThatLeavesDoesNotStopTheNext) {
  const std::string port = base_.substr(base_.rfind(':') + 1);
  (void)run("exec 3<>/dev/tcp/127.0.0.1/" + port +
            "; printf \"GET /nexthybrid/AReaL.git/info/refs HTTP/1.1\\r\\n\" >&3; exec 3>&-");
  EXPECT_EQ(in(".", "git clone -q " + url_ + " clone").exit_code, 0);
}

TEST(GitServer, SaysWhyItCannotStart) {
  testing::internal::CaptureStderr();
  EXPECT_NE(run_git_server({.root = "/", .log = "/nonexistent/log", .descriptor = -1}), 0);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("/nonexistent/log"));
}

}  // namespace
}  // namespace services
