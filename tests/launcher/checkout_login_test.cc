// Logins and trust, against a real server on the loopback: who is given what, and what is said when it is not enough.
#include <gmock/gmock.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "checkout_world.h"
#include "launcher/checkout/git/login.h"

namespace checkout {
namespace {

using testing::HasSubstr;
using testing::Not;

class Server {
 public:
  Server(const fs::path& root, fs::path log, const std::vector<std::string>& tls = {}) : log_(std::move(log)) {
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() != parent) ::_exit(1);
      ::dup2(ends[1], STDOUT_FILENO);
      ::close(ends[0]);
      ::close(ends[1]);
      std::vector<std::string> words = {"python3", PROJECT_SOURCE_DIR "/tests/launcher/git_remote.py", root, log_};
      words.insert(words.end(), tls.begin(), tls.end());
      std::vector<char*> raw;
      for (std::string& word : words) raw.push_back(word.data());
      raw.push_back(nullptr);
      ::execvp(raw[0], raw.data());
      ::_exit(127);
    }
    ::close(ends[1]);
    std::string line;
    for (char letter; ::read(ends[0], &letter, 1) == 1 && letter != '\n';) line += letter;
    ::close(ends[0]);
    port_ = line;
    EXPECT_FALSE(port_.empty());
  }
  Server(const Server&) = delete;
  ~Server() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  std::string port() const { return port_; }
  std::string url(const std::string& path, const std::string& scheme = "http") const {
    // libgit2's TLS knows certificates of names, and not of addresses.
    return scheme + (scheme == "https" ? "://localhost:" : "://127.0.0.1:") + port_ + "/" + path;
  }
  std::string asked() const { return read_text(log_); }

 private:
  pid_t pid_ = 0;
  std::string port_;
  fs::path log_;
};

class Logins : public testing::TestWithParam<Transport> {
 protected:
  void SetUp() override {
    ::unsetenv("GITHUB_TOKEN");
    ::unsetenv("GIT_TOKEN");
    ::setenv("MY_TOKEN", "right-token", 1);
    ::setenv("NETRC", "/nonexistent", 1);
  }
  void TearDown() override { ::unsetenv("MY_TOKEN"); }
  Request request(const std::string& url) const {
    Request request = world_.request();
    request.url = url;
    request.transport = GetParam();
    request.say = [this](const std::string& line) { said_ += line + "\n"; };
    return request;
  }
  base::Error refusal(const Request& request) const {
    const auto outcome = bring_up(request);
    EXPECT_FALSE(outcome);
    base::Error error = outcome ? base::Error() : outcome.error();
    EXPECT_THAT(error.message() + said_, Not(HasSubstr("right-token")));
    return error;
  }
  fs::path log(const std::string& name = "asked") const { return world_.root / name; }

  const World world_;
  mutable std::string said_;
};

TEST_P(Logins, TokenOpensItsOwnHostAndIsWrittenNowhere) {
  const Server server(world_.root, log());
  Request wanted = request(server.url("private/remote.git"));
  EXPECT_EQ(refusal(wanted).code, base::ErrorCode::kAuthentication);
  EXPECT_THAT(refusal(wanted).remedy, HasSubstr("--git-token-env"));
  wanted.credentials.token_variable = "MY_TOKEN";
  EXPECT_TRUE(must_bring_up(wanted).cloned);
  world_.commit_upstream("new.py", "new\n", "new");
  EXPECT_EQ(must_bring_up(wanted).commit, world_.tip());
  EXPECT_EQ(ask_upstream(wanted).value_or(""), world_.tip());
  EXPECT_THAT(server.asked(), HasSubstr("x-access-token:right-token"));
  EXPECT_FALSE(World::holds(world_.path.parent_path(), "right-token"));
}

TEST_P(Logins, WrongTokenIsAPermanentErrorWithItsRemedy) {
  const Server server(world_.root, log());
  ::setenv("MY_TOKEN", "wrong-token", 1);
  Request wanted = request(server.url("private/remote.git"));
  wanted.credentials.token_variable = "MY_TOKEN";
  wanted.network_attempts = 9;  // which would take minutes
  const base::Error error = refusal(wanted);
  EXPECT_EQ(error.code, base::ErrorCode::kAuthentication) << error.message();
  EXPECT_THAT(error.message(), Not(HasSubstr("wrong-token")));
}

TEST_P(Logins, RedirectToAnotherHostIsNotGivenTheToken) {
  const Server elsewhere(world_.root, log("elsewhere"));
  const Server server(world_.root, log());
  Request wanted = request(server.url("moved/" + elsewhere.port() + "/remote.git"));
  wanted.credentials.token_variable = "MY_TOKEN";
  EXPECT_EQ(refusal(wanted).code, base::ErrorCode::kAuthentication);
  EXPECT_THAT(elsewhere.asked(), Not(HasSubstr("right-token")));
}

TEST_P(Logins, RedirectOnTheSameHostIsFollowed) {
  const Server server(world_.root, log());
  EXPECT_TRUE(must_bring_up(request(server.url("away/remote.git"))).cloned);
}

TEST_P(Logins, NetrcNamesTheHost) {
  const Server server(world_.root, log());
  Request wanted = request(server.url("private/remote.git"));
  wanted.credentials.netrc = world_.root / "netrc";
  write_file(wanted.credentials.netrc, "machine example.org login me password right-token\n");
  EXPECT_EQ(refusal(wanted).code, base::ErrorCode::kAuthentication);
  write_file(wanted.credentials.netrc, "machine 127.0.0.1\n  login me\n  password right-token\n");
  EXPECT_TRUE(must_bring_up(wanted).cloned);
  EXPECT_THAT(server.asked(), HasSubstr("me:right-token"));
}

TEST_P(Logins, OwnAuthorityIsTrustedWhenItIsNamed) {
  World::must("cd " + world_.root.string() +
              " && exec >openssl.log 2>&1 && openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=test-ca "
              "-keyout ca.key -out ca.pem && "
              "openssl req -newkey rsa:2048 -nodes -subj /CN=127.0.0.1 -keyout server.key -out server.csr && "
              "printf 'subjectAltName=IP:127.0.0.1,DNS:localhost' > ext && openssl x509 -req -in server.csr -CA ca.pem "
              "-CAkey ca.key -CAcreateserial -days 30 -extfile ext -out server.pem");
  const Server server(world_.root, log(), {world_.root / "server.pem", world_.root / "server.key"});
  Request wanted = request(server.url("private/remote.git", "https"));
  wanted.credentials.token_variable = "MY_TOKEN";
  wanted.network_attempts = 9;  // permanent: not tried again
  const base::Error error = refusal(wanted);
  EXPECT_EQ(error.code, base::ErrorCode::kAuthentication) << error.message();
  EXPECT_THAT(error.remedy, HasSubstr("--ca-bundle")) << error.message();
  EXPECT_EQ(server.asked(), "");
  wanted.credentials.ca_bundle = world_.root / "ca.pem";
  EXPECT_TRUE(must_bring_up(wanted).cloned);
}

// The tool for people talks to the remote as a boot does.
TEST_P(Logins, RepairTakesThemAndItsLimitToo) {
  const Server server(world_.root, log());
  Request wanted = request(server.url("private/remote.git"));
  wanted.credentials.token_variable = "MY_TOKEN";
  must_bring_up(wanted);
  for (const auto& entry : fs::directory_iterator(world_.path / ".git/objects/pack")) fs::resize_file(entry, 20);
  const std::string repair = std::string(PROJECT_BIN_DIR "/podlaunch repair ") + world_.path.string() +
                             (GetParam() == Transport::kGit ? " --transport git" : "");
  const Said refused = shell(repair + " --quarantine-max 10 --git-token-env MY_TOKEN");
  EXPECT_NE(refused.status, 0);
  EXPECT_THAT(refused.output, HasSubstr("--quarantine-max"));
  const Said stranger = shell(repair + " --network-timeout 5s");
  EXPECT_NE(stranger.status, 0);
  EXPECT_THAT(stranger.output, HasSubstr("--git-token-env"));
  const Said mended = shell(repair + " --git-token-env MY_TOKEN");
  EXPECT_EQ(mended.status, 0) << mended.output;
  EXPECT_TRUE(world_.fsck_is_clean()) << world_.fsck();
  EXPECT_THAT(mended.output + stranger.output, Not(HasSubstr("right-token")));
}

TEST_P(Logins, NoSuchRepositoryAndNoSuchRefArePermanent) {
  const Server server(world_.root, log());
  Request wanted = request(server.url("open/no-such.git"));
  wanted.network_attempts = 9;
  EXPECT_EQ(refusal(wanted).code, base::ErrorCode::kNotFound);
  wanted.url = server.url("open/remote.git");
  wanted.ref = "no-such-branch";
  const base::Error error = refusal(wanted);
  EXPECT_EQ(error.code, base::ErrorCode::kNotFound);
  EXPECT_THAT(error.remedy, HasSubstr("spelling"));
}

TEST_P(Logins, BusyServerIsAskedAgain) {
  const Server server(world_.root, log());
  Request wanted = request(server.url("busy/1/remote.git"));
  wanted.network_attempts = 3;
  EXPECT_TRUE(must_bring_up(wanted).cloned);
  EXPECT_THAT(said_, HasSubstr("trying again"));
}

TEST_P(Logins, SilentServerIsGivenUp) {
  const Server server(world_.root, log());
  Request wanted = request(server.url("silent/remote.git"));
  wanted.network_stall_limit = std::chrono::seconds(1);
  const base::Error error = refusal(wanted);
  EXPECT_EQ(error.code, base::ErrorCode::kNetwork);
  EXPECT_THAT(error.message(), HasSubstr("no byte came for 1 s"));
}

INSTANTIATE_TEST_SUITE_P(Transports, Logins, testing::Values(Transport::kLibgit2, Transport::kGit),
                         [](const auto& tried) { return tried.param == Transport::kGit ? "Git" : "Libgit2"; });

TEST(LoginRules, PlacesAreComparedWithTheirPorts) {
  EXPECT_EQ(place_of("https://me@Example.org/x"), "https://example.org:443");
  EXPECT_EQ(place_of("http://[::1]:8080/x"), "http://[::1]:8080");
  EXPECT_EQ(place_of("http://example.org?x"), "http://example.org:80");
  EXPECT_NE(place_of("https://example.org"), place_of("https://example.org.evil.org"));
  EXPECT_NE(place_of("https://example.org"), place_of("http://example.org"));
  EXPECT_NE(place_of("https://example.org"), place_of("https://example.org@evil.org"));
  EXPECT_EQ(place_of("git@example.org:x"), "");
}

TEST(LoginRules, UnaskedTokenGoesToItsOwnHostAlone) {
  ::setenv("GITHUB_TOKEN", "github-token", 1);
  ::setenv("NETRC", "/nonexistent", 1);
  ::unsetenv("GIT_TOKEN");
  RemoteSettings settings;
  settings.url = "https://github.com/a/b";
  EXPECT_EQ(login_for(settings).value_or(Login()).password, "github-token");
  for (const char* other : {"https://gitlab.example.org/a/b", "https://github.com.evil.org/a", "http://github.com/a"}) {
    settings.url = other;
    EXPECT_FALSE(login_for(settings)) << other;
  }
  settings.url = "https://gitlab.example.org/a/b";
  settings.credentials.token_variable = "GITHUB_TOKEN";
  EXPECT_TRUE(login_for(settings));
  settings.url = "http://gitlab.example.org/a/b";
  EXPECT_FALSE(login_for(settings));
  EXPECT_THAT(login_remedy(settings), HasSubstr("plain http"));
  ::unsetenv("GITHUB_TOKEN");
}

// A stand-in for the ssh program: writes its arguments down, and runs what it was asked to run.
TEST(Ssh, KeyIsHandedToTheProgramAndNothingIsAskedInteractively) {
  const World world;
  write_file(world.root / "bin/ssh", "#!/bin/sh\nfor word; do echo \"$word\" >> " + (world.root / "ssh-log").string() +
                                         "; last=$word; done\nexec sh -c \"$last\"\n");
  fs::permissions(world.root / "bin/ssh", fs::perms::owner_all);
  const std::string path = std::getenv("PATH");
  ::setenv("PATH", ((world.root / "bin").string() + ":" + path).c_str(), 1);
  Request request = world.request();
  request.transport = Transport::kGit;
  request.url = "ssh://git@example.org" + world.remote.string();
  request.credentials.ssh_key = world.root / "a key's file";
  write_file(request.credentials.ssh_key, "a key");
  EXPECT_TRUE(must_bring_up(request).cloned);
  const std::string said = read_text(world.root / "ssh-log");
  EXPECT_THAT(said, HasSubstr("-i\n" + (world.root / "a key's file").string() + "\n"));
  EXPECT_THAT(said, HasSubstr("BatchMode=yes\n"));
  EXPECT_THAT(said, HasSubstr("git@example.org\n"));
  write_file(world.root / "bin/ssh",
             "#!/bin/sh\necho 'git@example.org: Permission denied (publickey).' >&2; exit 255\n");
  fs::remove_all(world.path);
  const auto refused = bring_up(request);
  ::setenv("PATH", path.c_str(), 1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, base::ErrorCode::kAuthentication);
  EXPECT_THAT(refused.error().remedy, HasSubstr("--ssh-key"));
}

}  // namespace
}  // namespace checkout
