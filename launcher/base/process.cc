#include "launcher/base/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <map>

#include "launcher/base/files.h"

namespace base {

// Runs in the new child and never returns.
[[noreturn]] static void become(const Program& program, pid_t launcher) {
  ::setpgid(0, 0);
  if (program.foreground) {
    ::signal(SIGTTOU, SIG_IGN);  // a group in the background that reaches for the foreground would be stopped
    (void)::tcsetpgrp(STDIN_FILENO, ::getpid());
    ::signal(SIGTTOU, SIG_DFL);
  }
  Waiter::restore_signals();
  if (program.dies_with_launcher && launcher != 1) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != launcher) ::_exit(143);
  }
  if (program.errors >= 0) ::dup2(program.errors, STDERR_FILENO);
  if (program.output >= 0) ::dup2(program.output, STDOUT_FILENO);
  for (const auto& [name, value] : program.environment) ::setenv(name.c_str(), value.c_str(), 1);
  if (!program.folder.empty() && ::chdir(program.folder.c_str()) != 0) {
    write_all(STDERR_FILENO, fmt::format("podlaunch: cannot enter {}: {}\n", program.folder, std::strerror(errno)));
    ::_exit(126);
  }
  std::vector<char*> arguments;
  for (const std::string& argument : program.arguments) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  ::execvp(arguments[0], arguments.data());
  const int saved_errno = errno;
  write_all(STDERR_FILENO,
            fmt::format("podlaunch: cannot execute {}: {}\n", program.arguments[0], std::strerror(saved_errno)));
  ::_exit(saved_errno == ENOENT ? 127 : 126);
}

// A training that spawns data loaders takes all processes of a container for a moment; for longer than this they are
// gone for good.
static constexpr Milliseconds kForkPauseMin{50};
static constexpr Milliseconds kForkPauseMax{1000};

Result<pid_t> fork_patiently(Waiter& waiter, const std::string& operation, Milliseconds patience) {
  const TimePoint give_up_at = Clock::now() + patience;
  for (Milliseconds pause = kForkPauseMin;; pause = std::min(pause * 2, kForkPauseMax)) {
    const pid_t child = ::fork();
    if (child >= 0) return child;
    const int problem = errno;
    if ((problem != EAGAIN && problem != ENOMEM) || Clock::now() >= give_up_at) {
      Error error = system_error(problem, operation);
      error.code = ErrorCode::kSystem;  // kBusy says that we were asked to stop
      error.remedy = "The container is out of processes or memory: see `ps -e` and its limits.";
      return fail(std::move(error));
    }
    const TimePoint until = Clock::now() + pause;
    while (Clock::now() < until && waiter.stop_signal() == 0) waiter.wait({}, until);
    if (waiter.stop_signal() != 0) return fail(Error{ErrorCode::kBusy, operation, {}, problem, "asked to stop", {}});
  }
}

Result<pid_t> spawn(const Program& program, Waiter& waiter) {
  const pid_t launcher = ::getpid();
  const auto child = fork_patiently(waiter, "start a process for " + program.arguments.at(0));
  if (!child) return fail(child.error());
  if (*child == 0) become(program, launcher);
  // Both sides set the group, so that it exists for whoever comes first.
  (void)::setpgid(*child, *child);
  waiter.expect(*child);
  return *child;
}

void adopt_orphans() {
  (void)::prctl(PR_SET_CHILD_SUBREAPER, 1);
}

// "R 1 …": its state, its parent and the rest; empty when there is no such process.
static std::string state_of(pid_t process) {
  const auto line = read_file(fmt::format("/proc/{}/stat", process), 4096);
  if (!line) return {};
  // The name in parentheses may itself contain parentheses and blanks; what follows the last one is well formed.
  const std::size_t name_end = line->rfind(')');
  if (name_end == std::string::npos || name_end + 4 >= line->size()) return {};
  return line->substr(name_end + 2);
}

static pid_t parent_in(const std::string& state) {
  return state.empty() ? 0 : static_cast<pid_t>(std::atoi(state.c_str() + 2));
}

pid_t parent_of(pid_t process) {
  return parent_in(state_of(process));
}

bool sits_in_kernel(pid_t process) {
  return state_of(process).starts_with('D');
}

// Those that have ended are nobody's.
static std::multimap<pid_t, pid_t> children_by_parent() {
  std::multimap<pid_t, pid_t> children;
  DIR* folder = ::opendir("/proc");
  if (folder == nullptr) return children;
  while (const dirent* entry = ::readdir(folder)) {
    if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
    const pid_t process = std::atoi(entry->d_name);
    const std::string state = state_of(process);
    const pid_t parent = state.starts_with('Z') ? 0 : parent_in(state);
    if (parent > 0) children.emplace(parent, process);
  }
  ::closedir(folder);
  return children;
}

// The kernel's own list of our children, where it offers one: a look at it is far cheaper than a walk over /proc.
static bool only_spared_children(const std::vector<pid_t>& spared) {
  const auto list = read_file(fmt::format("/proc/self/task/{}/children", ::getpid()), 65536);
  if (!list) return false;
  const char* position = list->c_str();
  for (char* end = nullptr; *position != '\0'; position = end) {
    const pid_t child = static_cast<pid_t>(std::strtol(position, &end, 10));
    if (end == position) break;
    if (std::find(spared.begin(), spared.end(), child) == spared.end()) return false;
    while (*end == ' ') ++end;
  }
  return true;
}

std::vector<pid_t> descendants(const std::vector<pid_t>& spared) {
  if (only_spared_children(spared)) return {};
  const std::multimap<pid_t, pid_t> children = children_by_parent();
  std::vector<pid_t> found;
  std::vector<pid_t> pending{::getpid()};
  while (!pending.empty()) {
    const pid_t parent = pending.back();
    pending.pop_back();
    const auto [first, last] = children.equal_range(parent);
    for (auto child = first; child != last; ++child) {
      if (std::find(spared.begin(), spared.end(), child->second) != spared.end()) continue;
      found.push_back(child->second);
      pending.push_back(child->second);
    }
  }
  return found;
}

static void send_all(const std::vector<pid_t>& processes, int signal) {
  for (const pid_t process : processes) (void)::kill(process, signal);
}

void end_descendants(Waiter& waiter, const std::vector<pid_t>& spared, Milliseconds grace, Milliseconds after_kill) {
  std::vector<pid_t> left = descendants(spared);
  if (left.empty()) return;
  send_all(left, SIGTERM);
  send_all(left, SIGCONT);
  const TimePoint kill_at = Clock::now() + grace;
  const TimePoint give_up_at = kill_at + after_kill;
  for (TimePoint now = Clock::now(); now < give_up_at; now = Clock::now()) {
    waiter.wait({}, std::min(now + Milliseconds(now < kill_at ? 200 : 50), give_up_at));
    left = descendants(spared);
    if (left.empty()) return;
    if (Clock::now() >= kill_at) send_all(left, SIGKILL);
  }
}

}  // namespace base
