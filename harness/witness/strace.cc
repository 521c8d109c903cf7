// The boot runs on the machine's clock, so when it has come to rest can only be told by its silence. A boot that is as
// far as the one on the stage was (as many lines printed) has two seconds to say or do something more; one that is not
// has half a minute for its next word, however busy the machine may be.
#include "harness/witness/strace.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "base/unique_fd.h"

namespace witness {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

static constexpr auto kAttachedWithin = 30s;
static constexpr auto kEndsWithin = 30s;
static constexpr auto kRestsAfter = 2s;
static constexpr auto kSilenceMax = 30s;
static constexpr auto kBootMax = 120s;

base::Result<std::string> find_strace() {
  const char* folders = std::getenv("PATH");
  std::istringstream all(folders == nullptr ? "/usr/bin:/bin" : folders);
  for (std::string folder; std::getline(all, folder, ':');) {
    const std::string path = folder + "/strace";
    if (::access(path.c_str(), X_OK) == 0) return path;
  }
  return base::fail(
      base::Error{.code = base::ErrorCode::kNotFound,
                  .operation = "ask strace as a witness",
                  .path = {},
                  .system_errno = 0,
                  .detail = "strace is not installed",
                  .remedy = "Install it (Debian, Ubuntu: apt-get install strace), or leave out --witness"});
}

static base::Error no_witness(const std::string& detail) {
  return base::Error{.code = base::ErrorCode::kSystem,
                     .operation = "watch the boot with strace",
                     .path = {},
                     .system_errno = 0,
                     .detail = detail,
                     .remedy = "strace 5.10 or newer must be able to trace a process: `strace -p PID` shows whether"};
}

namespace {

// Names programs as /proc/PID/exe would, within a pod whose first process may have gone.
class PodPrograms {
 public:
  explicit PodPrograms(pid_t first)
      : mounts_(::open(fmt::format("/proc/{}/ns/mnt", first).c_str(), O_RDONLY | O_CLOEXEC)),
        root_(::open(fmt::format("/proc/{}/root", first).c_str(), O_PATH | O_CLOEXEC)) {}

  std::string name(const std::string& path) const {
    constexpr int kInterpretersMax = 4;  // the kernel's own limit for scripts that scripts interpret
    std::string at = path;
    for (int i = 0; i < kInterpretersMax; ++i) {
      open_how how{};
      how.flags = O_RDONLY | O_CLOEXEC;
      how.resolve = RESOLVE_IN_ROOT;
      const base::UniqueFd file(static_cast<int>(::syscall(SYS_openat2, root_.get(), at.c_str(), &how, sizeof how)));
      if (!file.valid()) break;
      std::array<char, 4096> target;
      const ssize_t size =
          ::readlink(fmt::format("/proc/self/fd/{}", file.get()).c_str(), target.data(), target.size());
      if (size > 0) at.assign(target.data(), static_cast<std::size_t>(size));
      std::array<char, 256> head{};
      if (::read(file.get(), head.data(), head.size() - 1) < 3 || head[0] != '#' || head[1] != '!') break;
      std::istringstream(head.data() + 2) >> at;
    }
    return at.substr(at.rfind('/') + 1);
  }

 private:
  base::UniqueFd mounts_;  // keeps the pod's mounts where they are
  base::UniqueFd root_;
};

class Strace {
 public:
  Strace(const std::string& program, pid_t process, const std::string& log) {
    std::array<int, 2> pipe{};
    if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return;
    words_.reset(pipe[0]);
    const base::UniqueFd write_end(pipe[1]);
    const std::string calls = "trace=" + calls_to_trace();
    const std::string number = fmt::format("{}", process);
    id_ = ::fork();
    if (id_ > 0) ended_.reset(static_cast<int>(::syscall(SYS_pidfd_open, id_, 0)));
    if (id_ != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::dup2(write_end.get(), 2);
    ::execl(program.c_str(), "strace", "-f", "-y", "-s", "0", "--decode-pids=pidns", "-e", "signal=none", "-e",
            calls.c_str(), "-o", log.c_str(), "-p", number.c_str(), nullptr);
    ::_exit(127);
  }
  ~Strace() { end(); }
  Strace(const Strace&) = delete;
  Strace& operator=(const Strace&) = delete;

  // Its words until "attached" is among them; what it said instead where it has none.
  base::Result<void> await_attachment() {
    std::string said;
    const auto begin = Clock::now();
    while (said.find("attached") == std::string::npos) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(kAttachedWithin - (Clock::now() - begin));
      pollfd poll{words_.get(), POLLIN, 0};
      std::array<char, 1024> buffer;
      const bool some = left.count() > 0 && ::poll(&poll, 1, static_cast<int>(left.count())) == 1;
      const ssize_t size = some ? ::read(words_.get(), buffer.data(), buffer.size()) : 0;
      if (size <= 0) return base::fail(no_witness(said.empty() ? "it did not attach" : said));
      said.append(buffer.data(), static_cast<std::size_t>(size));
    }
    return {};
  }
  // Until it ends, or `other` can be read, or the time is over. True: it has ended, and its log is whole.
  bool wait(std::chrono::milliseconds time, int other = -1) {
    std::array<pollfd, 3> polls{pollfd{ended_.get(), POLLIN, 0}, pollfd{words_.get(), POLLIN, 0},
                                pollfd{other, POLLIN, 0}};
    ::poll(polls.data(), polls.size(), static_cast<int>(time.count()));
    // It says who comes and goes; its pipe must not fill.
    std::array<char, 4096> buffer;
    if ((polls[1].revents & POLLIN) != 0) (void)!::read(words_.get(), buffer.data(), buffer.size());
    return (polls[0].revents & POLLIN) != 0;
  }
  void end() {
    if (id_ > 0) {
      ::kill(id_, SIGKILL);
      ::waitpid(id_, nullptr, 0);
    }
    id_ = 0;
  }

 private:
  pid_t id_ = 0;
  base::UniqueFd ended_;
  base::UniqueFd words_;
};

// What can be seen of a boot from outside: how much it has printed, how long its log is.
struct Signs {
  std::size_t lines = 0;
  off_t log_bytes = 0;
  bool operator==(const Signs&) const = default;
};

off_t size_of(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? status.st_size : 0;
}

std::size_t drain_lines(int output) {
  std::size_t lines = 0;
  std::array<char, 16384> buffer;
  for (ssize_t size = 0; (size = ::read(output, buffer.data(), buffer.size())) > 0;)
    lines += static_cast<std::size_t>(std::count(buffer.data(), buffer.data() + size, '\n'));
  return lines;
}

}  // namespace

// False: it came to no rest.
static bool await_rest(Strace& strace, int output, const std::string& log, std::size_t lines) {
  Signs seen;
  const auto begin = Clock::now();
  auto last_sign = begin;
  while (!strace.wait(100ms, output)) {
    const Signs now{seen.lines + drain_lines(output), size_of(log)};
    const auto time = Clock::now();
    if (now != seen) last_sign = time;
    seen = now;
    if (time - last_sign > (seen.lines >= lines ? kRestsAfter : kSilenceMax)) return true;
    if (time - begin > kBootMax) return false;
  }
  return true;
}

base::Result<Counts> watch(pod::UnstagedBoot boot, std::size_t lines, const std::string& strace,
                           const std::string& folder) {
  const std::string log = folder + "/strace.log";
  const pid_t first = boot.container.id;
  const PodPrograms programs(first);
  bool rests = false;
  base::Result<void> attached;
  {
    Strace tracer(strace, first, log);
    attached = tracer.await_attachment();
    if (attached) {
      boot.container.go();
      rests = await_rest(tracer, boot.output.get(), log, lines);
    }
    ::kill(first, SIGKILL);
    const auto begin = Clock::now();  // it ends with its last tracee
    while (attached && !tracer.wait(1s) && Clock::now() - begin < kEndsWithin) {
    }
  }
  ::waitpid(first, nullptr, __WALL);
  for (const pid_t service : boot.services) {
    ::kill(service, SIGKILL);
    ::waitpid(service, nullptr, __WALL);
  }
  if (!attached) return base::fail(attached.error());
  if (!rests) return base::fail(no_witness("the boot came to no rest within two minutes of the machine's clock"));
  std::ifstream file(log, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  return count_changes(text, first, [&](const std::string& path) { return programs.name(path); });
}

}  // namespace witness
