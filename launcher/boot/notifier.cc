#include "launcher/boot/notifier.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <ctime>
#include <nlohmann/json.hpp>

#include "launcher/boot/boot.h"
#include "launcher/boot/keeper/say.h"

namespace boot {

using base::Clock;
using base::Milliseconds;
using base::Result;
using base::Seconds;
using base::TimePoint;
using nlohmann::json;

namespace {

constexpr int kTries = 12;  // five seconds apart at first, ten minutes at last: about an hour

bool is_url(const std::string& target) {
  return target.starts_with("https://") || target.starts_with("http://");
}

base::Error not_delivered(std::string detail) {
  return base::Error{.code = base::ErrorCode::kSystem,
                     .operation = "deliver a notification",
                     .path = {},
                     .system_errno = 0,
                     .detail = std::move(detail),
                     .remedy = {}};
}

Result<void> post(const Notification& notification, const std::string& url, const provider::HttpSettings& http) {
  const auto answer =
      provider::exchange({.method = "POST", .url = url, .headers = {}, .json = to_json(notification)}, http);
  if (!answer) return base::fail(answer.error());
  if (answer->status >= 200 && answer->status < 300) return {};
  return base::fail(not_delivered(fmt::format("the web hook answered HTTP {}", answer->status)));
}

// Waits for the child alone; SIGCHLD is blocked in this process.
bool ended_in_time(pid_t child, int& status, Seconds deadline) {
  const TimePoint until = Clock::now() + deadline;
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGCHLD);
  while (::waitpid(child, &status, WNOHANG) == 0) {
    const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(until - Clock::now());
    if (left.count() <= 0) return false;
    const timespec time{left.count() / 1'000'000'000, left.count() % 1'000'000'000};
    (void)::sigtimedwait(&signals, nullptr, &time);
  }
  return true;
}

Result<void> run_command(const Notification& notification, const std::string& command) {
  constexpr Seconds deadline{60};
  const pid_t child = ::fork();
  if (child < 0) return base::fail(base::system_error(errno, "start the notify command"));
  if (child == 0) {
    ::setpgid(0, 0);
    base::Waiter::restore_signals();
    for (const auto& [name, value] : to_variables(notification)) ::setenv(name.c_str(), value.c_str(), 1);
    ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    ::_exit(127);
  }
  int status = 0;
  if (!ended_in_time(child, status, deadline)) {
    (void)::kill(-child, SIGKILL);
    (void)::waitpid(child, &status, 0);
    return base::fail(not_delivered(fmt::format("the command did not end within {} s", deadline.count())));
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return base::fail(not_delivered("the command failed: " + base::WaitStatus::from_raw(status).describe()));
}

[[noreturn]] void tell(const Notification& notification, const std::string& target,
                       const provider::HttpSettings& http) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2}) ::signal(signal, SIG_IGN);
  for (int tries = 1; tries <= kTries; ++tries) {
    Result<void> delivered;
    try {
      delivered = deliver(notification, target, http);
    } catch (const std::exception& exception) {
      delivered = base::fail(not_delivered(exception.what()));
    }
    if (delivered) ::_exit(0);
    const int wait_seconds = std::min(5 << std::min(tries - 1, 7), 600);
    const bool last = tries == kTries;
    say_phase("notify", "{}: {}; {}", config::notify_name(target), delivered.error().message(),
              last ? "given up" : fmt::format("again in {} s", wait_seconds));
    if (!last) (void)::poll(nullptr, 0, wait_seconds * 1000);
  }
  ::_exit(1);
}

}  // namespace

std::string_view name(Event event) {
  switch (event) {
    case Event::kHold:
      return "hold";
    case Event::kDone:
      return "done";
    case Event::kPreempted:
      return "preempted";
  }
  return "";
}

// `text` and `content` are what the web hooks of chat services show.
std::string to_json(const Notification& notification) {
  json document{{"event", name(notification.event)}, {"text", notification.text}, {"content", notification.text}};
  for (const auto& [key, value] : notification.facts) document[key] = value;
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::vector<std::pair<std::string, std::string>> to_variables(const Notification& notification) {
  std::vector<std::pair<std::string, std::string>> variables{{"PODLAUNCH_EVENT", std::string(name(notification.event))},
                                                             {"PODLAUNCH_TEXT", notification.text}};
  for (const auto& [key, value] : notification.facts) {
    std::string variable = "PODLAUNCH_";
    for (const char letter : key) variable += static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
    variables.emplace_back(variable, value);
  }
  return variables;
}

Result<void> deliver(const Notification& notification, const std::string& target, const provider::HttpSettings& http) {
  return is_url(target) ? post(notification, target, http) : run_command(notification, target);
}

void Notifier::start(const Notification& notification, Boot& boot) {
  all_reached_ = true;
  const provider::HttpSettings http{.ca_bundle = boot.config.ca_bundle};
  for (const std::string& target : boot.config.notify) {
    const pid_t child = ::fork();
    if (child == 0) tell(notification, target, http);
    if (child < 0) {
      all_reached_ = false;
      continue;
    }
    boot.waiter.expect(child);
    processes_.push_back(child);
  }
}

std::vector<pid_t> Notifier::processes(base::Waiter& waiter) {
  std::erase_if(processes_, [&](pid_t process) {
    const auto status = waiter.take_status(process);
    if (status && !status->success()) all_reached_ = false;
    return status.has_value();
  });
  return processes_;
}

bool Notifier::finish(base::Waiter& waiter, Milliseconds deadline) {
  const TimePoint until = Clock::now() + deadline;
  while (!processes(waiter).empty() && Clock::now() < until) waiter.wait({}, until);
  for (const pid_t process : processes_) {
    (void)::kill(process, SIGKILL);
    waiter.abandon(process);
    all_reached_ = false;
  }
  processes_.clear();
  return all_reached_;
}

}  // namespace boot
