#include "harness/oracle/git_witness.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <optional>

#include "base/unique_fd.h"
#include "base/wait_status.h"

namespace oracle {

namespace {

using Clock = std::chrono::steady_clock;

struct Pipe {
  base::UniqueFd read_end;
  base::UniqueFd write_end;
};

std::optional<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return std::nullopt;
  return Pipe{base::UniqueFd(ends[0]), base::UniqueFd(ends[1])};
}

// Git in a process group of its own, which ask_git() ends and reaps before it returns.
struct RunningGit {
  pid_t id = -1;
  base::UniqueFd input;
  base::UniqueFd output;
  base::UniqueFd errors;
};

std::vector<char*> pointers_to(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (auto& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> environment_for(const GitQuestion& question) {
  const char* path = std::getenv("PATH");
  std::map<std::string, std::string> variables = {
      {"PATH", path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin"},
      {"HOME", "/nonexistent"},
      {"LC_ALL", "C"},
      {"GIT_CONFIG_NOSYSTEM", "1"},
      {"GIT_CONFIG_GLOBAL", "/dev/null"},
      {"GIT_OPTIONAL_LOCKS", "0"},
      {"GIT_TERMINAL_PROMPT", "0"},
      {"GIT_NO_LAZY_FETCH", "1"},
  };
  for (const auto& [key, value] : question.environment) variables[key] = value;
  std::vector<std::string> words;
  for (const auto& [key, value] : variables) words.push_back(key + "=" + value);
  return words;
}

// Settings of the repository that name programs are switched off: the witness runs nothing but git.
std::vector<std::string> command_for(const GitQuestion& question) {
  std::vector<std::string> words = {
      "git", "-c", "safe.directory=*", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"};
  words.insert(words.end(), question.arguments.begin(), question.arguments.end());
  return words;
}

base::Result<RunningGit> start_git(const GitQuestion& question) {
  auto input = make_pipe();
  auto output = make_pipe();
  auto errors = make_pipe();
  if (!input || !output || !errors) return base::fail(base::system_error(errno, "make a pipe to git"));

  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, input->read_end.get(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&files, output->write_end.get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&files, errors->write_end.get(), STDERR_FILENO);

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

  auto command = command_for(question);
  auto environment = environment_for(question);
  RunningGit git;
  const int error =
      ::posix_spawnp(&git.id, "git", &files, &attributes, pointers_to(command).data(), pointers_to(environment).data());
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) return base::fail(base::system_error(error, "start git", "", "Is git installed on this machine?"));

  git.input = std::move(input->write_end);
  git.output = std::move(output->read_end);
  git.errors = std::move(errors->read_end);
  ::fcntl(git.input.get(), F_SETFL, O_NONBLOCK);
  return git;
}

// Reads what is there; closes the descriptor at its end.
void read_some(base::UniqueFd& from, std::string& into) {
  std::array<char, 65536> buffer{};
  const ssize_t count = ::read(from.get(), buffer.data(), buffer.size());
  if (count > 0) into.append(buffer.data(), static_cast<std::size_t>(count));
  if (count == 0 || (count < 0 && errno != EINTR && errno != EAGAIN)) from.reset();
}

void write_some(base::UniqueFd& to, std::string_view& rest) {
  const ssize_t count = ::write(to.get(), rest.data(), rest.size());
  if (count > 0) rest.remove_prefix(static_cast<std::size_t>(count));
  if (rest.empty() || (count < 0 && errno != EINTR && errno != EAGAIN)) to.reset();
}

// Feeds the input and collects the output until git has closed both, or the deadline has passed: then false.
bool converse(RunningGit& git, std::string_view input, Clock::time_point deadline, GitAnswer& answer) {
  if (input.empty()) git.input.reset();
  while (git.output.valid() || git.errors.valid()) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return false;
    std::array<pollfd, 3> ends = {pollfd{git.input.get(), POLLOUT, 0}, pollfd{git.output.get(), POLLIN, 0},
                                  pollfd{git.errors.get(), POLLIN, 0}};
    if (::poll(ends.data(), ends.size(), static_cast<int>(left)) < 0 && errno != EINTR) return false;
    if (ends[0].revents != 0) write_some(git.input, input);
    if (ends[1].revents != 0) read_some(git.output, answer.output);
    if (ends[2].revents != 0) read_some(git.errors, answer.errors);
  }
  return true;
}

// A git that ends before it has read its input must not take the simulator with it.
class BrokenPipesHeld {
 public:
  BrokenPipesHeld() {
    sigemptyset(&broken_pipe_);
    sigaddset(&broken_pipe_, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &broken_pipe_, &before_);
  }
  ~BrokenPipesHeld() {
    const timespec at_once{};
    while (::sigtimedwait(&broken_pipe_, nullptr, &at_once) == SIGPIPE) {
    }
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  BrokenPipesHeld(const BrokenPipesHeld&) = delete;
  BrokenPipesHeld& operator=(const BrokenPipesHeld&) = delete;

 private:
  sigset_t broken_pipe_{};
  sigset_t before_{};
};

// Waits for git's end until the deadline; then kills its whole group. Returns the wait status either way.
int end_of(const RunningGit& git, Clock::time_point deadline) {
  const base::UniqueFd handle(static_cast<int>(::syscall(SYS_pidfd_open, git.id, 0)));
  pollfd ended = {handle.get(), POLLIN, 0};
  int ready = -1;
  do {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    ready = left <= 0 ? 0 : ::poll(&ended, 1, static_cast<int>(left));
  } while (ready < 0 && errno == EINTR);
  if (ready <= 0) ::kill(-git.id, SIGKILL);
  int status = 0;
  while (::waitpid(git.id, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

}  // namespace

base::Result<GitAnswer> ask_git(const GitQuestion& question) {
  const BrokenPipesHeld held;
  const auto deadline = Clock::now() + question.deadline;
  auto git = start_git(question);
  if (!git) return base::fail(git.error());

  GitAnswer answer;
  const bool answered = converse(*git, question.input, deadline, answer);
  const auto end = base::WaitStatus::from_raw(end_of(*git, answered ? deadline : Clock::now()));
  if (!answered) {
    return base::fail({base::ErrorCode::kTimedOut, "ask git", "", 0, "it did not answer in time", ""});
  }
  if (end.kind != base::WaitStatus::Kind::kExited) {
    return base::fail({base::ErrorCode::kSystem, "ask git", "", 0, "it ended by " + end.describe(), ""});
  }
  answer.exit_code = end.value;
  return answer;
}

base::Result<GitAnswer> ask_git_in(const std::filesystem::path& checkout, std::vector<std::string> arguments) {
  GitQuestion question;
  question.arguments = {"--git-dir=" + (checkout / ".git").string(), "--work-tree=" + checkout.string(), "-C",
                        checkout.string()};
  question.arguments.insert(question.arguments.end(), arguments.begin(), arguments.end());
  return ask_git(question);
}

}  // namespace oracle
