#include "harness/faults/git_program.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <optional>

#include "base/unique_fd.h"
#include "base/wait_status.h"

namespace faults {

using base::Result;
using base::UniqueFd;

static constexpr int kGitMillisecondsMax = 60'000;
static constexpr std::string_view kName = "Ada Trainer";
static constexpr std::string_view kAddress = "ada@example.org";

std::string identity(std::int64_t when_seconds) {
  return fmt::format("{} <{}> {} +0000", kName, kAddress, when_seconds);
}

// Files in memory instead of pipes: nobody has to feed git or to drain it while it runs.
struct Streams {
  UniqueFd input{::memfd_create("git-input", MFD_CLOEXEC)};
  UniqueFd output{::memfd_create("git-output", MFD_CLOEXEC)};
  UniqueFd errors{::memfd_create("git-errors", MFD_CLOEXEC)};
  bool valid() const { return input.valid() && output.valid() && errors.valid(); }
};

static bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return ::lseek(fd, 0, SEEK_SET) == 0;
}

static std::string read_whole(int fd) {
  std::string content;
  std::array<char, 65536> buffer{};
  for (ssize_t count = 0;
       (count = ::pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(content.size()))) > 0;) {
    content.append(buffer.data(), static_cast<std::size_t>(count));
  }
  return content;
}

static std::vector<char*> pointers_to(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

static std::vector<std::string> environment_for(const GitCall& call) {
  const char* path = std::getenv("PATH");
  const std::string date = "1767225600 +0000";  // where a call has no better one
  std::map<std::string, std::string> variables{
      {"PATH", path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin"},
      {"HOME", "/nonexistent"},
      {"LC_ALL", "C"},
      {"GIT_CONFIG_NOSYSTEM", "1"},
      {"GIT_CONFIG_GLOBAL", "/dev/null"},
      {"GIT_TERMINAL_PROMPT", "0"},
      {"GIT_AUTHOR_NAME", std::string(kName)},
      {"GIT_AUTHOR_EMAIL", std::string(kAddress)},
      {"GIT_AUTHOR_DATE", date},
      {"GIT_COMMITTER_NAME", std::string(kName)},
      {"GIT_COMMITTER_EMAIL", std::string(kAddress)},
      {"GIT_COMMITTER_DATE", date},
  };
  for (const auto& [name, value] : call.environment) variables[name] = value;
  std::vector<std::string> words;
  for (const auto& [name, value] : variables) words.push_back(name + "=" + value);
  return words;
}

static int spawn_git(const GitCall& call, const Streams& streams, pid_t& process) {
  std::vector<std::string> command{
      "git", "-c",       "safe.directory=*", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null",
      "-c",  "gc.auto=0"};
  command.insert(command.end(), call.arguments.begin(), call.arguments.end());
  std::vector<std::string> environment = environment_for(call);

  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, streams.input.get(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&files, streams.output.get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&files, streams.errors.get(), STDERR_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  const int error = ::posix_spawnp(&process, "git", &files, &attributes, pointers_to(command).data(),
                                   pointers_to(environment).data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  return error;
}

// Waits for the end, kills the group when it does not come. Nothing: it had to be killed.
static std::optional<base::WaitStatus> wait_for(pid_t process) {
  const UniqueFd handle(static_cast<int>(::syscall(SYS_pidfd_open, process, 0)));
  pollfd end{handle.get(), POLLIN, 0};
  int ready = 0;
  do {
    ready = ::poll(&end, 1, kGitMillisecondsMax);
  } while (ready < 0 && errno == EINTR);
  if (ready != 1) (void)::kill(-process, SIGKILL);
  int raw = 0;
  while (::waitpid(process, &raw, 0) < 0 && errno == EINTR) {
  }
  if (ready != 1) return std::nullopt;
  return base::WaitStatus::from_raw(raw);
}

Result<std::string> run_git(const GitCall& call) {
  const std::string operation = call.arguments.empty() ? "run git" : "run git " + call.arguments.front();
  const Streams streams;
  if (!streams.valid() || !write_all(streams.input.get(), call.input)) {
    return base::fail(base::system_error(errno, operation));
  }
  pid_t process = -1;
  if (const int error = spawn_git(call, streams, process); error != 0) {
    return base::fail(base::system_error(error, operation, {}, "Is git installed on this machine?"));
  }
  const auto status = wait_for(process);
  if (status && status->success()) return read_whole(streams.output.get());
  std::string said = read_whole(streams.errors.get());
  while (!said.empty() && said.back() == '\n') said.pop_back();
  return base::fail(
      base::Error{.code = status ? base::ErrorCode::kSystem : base::ErrorCode::kTimedOut,
                  .operation = operation,
                  .path = {},
                  .system_errno = 0,
                  .detail = status ? fmt::format("{}: {}", status->describe(), said) : "it did not end within a minute",
                  .remedy = {}});
}

}  // namespace faults
