// A deploy key and a real sshd on the loopback, one process a connection, as inetd would start it.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "checkout_world.h"

namespace checkout {
namespace {

using testing::HasSubstr;

const char* const kSshd = "/usr/sbin/sshd";

class SshServer {
 public:
  // sshd wants a folder of its own below /run where root starts it; a tmpfs that nobody else sees has it.
  explicit SshServer(const fs::path& config) {
    const int listening = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listening, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listening, 8), 0);
    EXPECT_EQ(::getsockname(listening, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = std::to_string(ntohs(address.sin_port));
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() != parent) ::_exit(1);
      serve(listening, config);
    }
    ::close(listening);
  }
  SshServer(const SshServer&) = delete;
  ~SshServer() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  std::string url(const fs::path& path) const {
    return "ssh://" + std::string(::getpwuid(::geteuid())->pw_name) + "@127.0.0.1:" + port_ + path.string();
  }
  std::string known_as(const std::string& key) const { return "[127.0.0.1]:" + port_ + " " + key; }

 private:
  [[noreturn]] static void serve(int listening, const fs::path& config) {
    ::signal(SIGCHLD, SIG_IGN);
    const std::string line = ::geteuid() != 0 ? "exec " + std::string(kSshd) + " -i -e -f \"$0\""
                                              : "exec unshare --mount sh -c 'mount -t tmpfs none /run && mkdir "
                                                "/run/sshd && exec " +
                                                    std::string(kSshd) + " -i -e -f \"$0\"' \"$0\"";
    for (;;) {
      const int caller = ::accept4(listening, nullptr, nullptr, SOCK_CLOEXEC);
      if (caller < 0) continue;
      if (::fork() == 0) {
        ::signal(SIGCHLD, SIG_DFL);
        ::dup2(caller, STDIN_FILENO);
        ::dup2(caller, STDOUT_FILENO);
        ::execl("/bin/sh", "sh", "-c", (line + " 2>> \"$0.log\"").c_str(), config.c_str(), nullptr);
        ::_exit(127);
      }
      ::close(caller);
    }
  }

  pid_t pid_ = 0;
  std::string port_;
};

class DeployKey : public testing::TestWithParam<Transport> {
 protected:
  void SetUp() override {
    if (::access(kSshd, X_OK) != 0) GTEST_SKIP() << "there is no sshd here: apt-get install openssh-server";
    for (const char* name : {"deploy", "other", "host", "other-host"}) {
      World::must("ssh-keygen -q -t ed25519 -N '' -C '' -f " + (folder() / name).string());
    }
    write_file(config(), "HostKey " + (folder() / "host").string() + "\nAuthorizedKeysFile " +
                             (folder() / "deploy.pub").string() +
                             "\nUsePAM no\nStrictModes no\nPasswordAuthentication no\nPermitRootLogin yes\n"
                             "PidFile none\n");
  }
  fs::path folder() const { return world_.root; }
  fs::path config() const { return folder() / "sshd_config"; }
  std::string log() const { return read_text(config().string() + ".log"); }
  // The launcher's request, which knows the server by this key of the folder.
  Request request(const SshServer& server, const std::string& known = "host") const {
    write_file(folder() / "known", server.known_as(read_text(folder() / (known + ".pub"))));
    Request request = world_.request();
    request.url = server.url(world_.remote);
    request.transport = GetParam();
    request.credentials.ssh_key = folder() / "deploy";
    request.credentials.ssh_known_hosts = folder() / "known";
    return request;
  }
  static base::Error refusal(Request request) {
    request.network_attempts = 2;  // what is permanent needs no second
    const auto outcome = bring_up(request);
    EXPECT_FALSE(outcome);
    return outcome ? base::Error() : outcome.error();
  }

  const World world_;
};

TEST_P(DeployKey, ClonesUpdatesAndRepairs) {
  const SshServer server(config());
  const Request wanted = request(server);
  EXPECT_TRUE(must_bring_up(wanted).cloned) << log();
  const std::string tip = world_.commit_upstream("new.py", "new\n", "new");
  EXPECT_EQ(must_bring_up(wanted).commit, tip) << log();
  EXPECT_EQ(ask_upstream(wanted).value_or(""), tip);
  fs::remove_all(world_.path / ".git/objects/pack");
  EXPECT_EQ(must_bring_up(wanted).commit, tip) << log();
  EXPECT_TRUE(world_.fsck_is_clean()) << world_.fsck();
}

TEST_P(DeployKey, OfSomebodyElseIsAPermanentErrorWithItsRemedy) {
  const SshServer server(config());
  Request wanted = request(server);
  wanted.credentials.ssh_key = folder() / "other";
  const base::Error error = refusal(wanted);
  EXPECT_EQ(error.code, base::ErrorCode::kAuthentication) << error.message() << log();
  EXPECT_THAT(error.remedy, HasSubstr("--ssh-key"));
}

TEST_P(DeployKey, ThatIsNotThereIsNamed) {
  const SshServer server(config());
  Request wanted = request(server);
  wanted.credentials.ssh_key = folder() / "no-such-key";
  const base::Error error = refusal(wanted);
  EXPECT_EQ(error.code, base::ErrorCode::kInvalidInput) << error.message();
  EXPECT_THAT(error.message(), HasSubstr("no-such-key"));
}

TEST_P(DeployKey, IsNotOfferedToAHostWithAnotherKeyOrAnUnknownOne) {
  const SshServer server(config());
  for (const char* known : {"other-host", "none"}) {
    const base::Error error = refusal(request(server, known));
    EXPECT_EQ(error.code, base::ErrorCode::kAuthentication) << known << error.message() << log();
    EXPECT_THAT(error.remedy, HasSubstr("--ssh-known-hosts")) << known << error.message();
  }
  EXPECT_FALSE(fs::exists(world_.path / ".git"));
}

TEST_P(DeployKey, ThatOpensNoSuchRepositoryIsToldSo) {
  const SshServer server(config());
  Request wanted = request(server);
  wanted.url = server.url(folder() / "no-such.git");
  const base::Error error = refusal(wanted);
  EXPECT_EQ(error.code, base::ErrorCode::kNotFound) << error.message() << log();
}

INSTANTIATE_TEST_SUITE_P(Transports, DeployKey, testing::Values(Transport::kLibgit2, Transport::kGit),
                         [](const auto& tried) { return tried.param == Transport::kGit ? "Git" : "Libgit2"; });

}  // namespace
}  // namespace checkout
