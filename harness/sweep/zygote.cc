#include "harness/sweep/zygote.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <map>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/wait_status.h"

namespace sweep {

using Clock = std::chrono::steady_clock;

std::string to_message(const WorldResult& result) {
  return nlohmann::json{{"id", result.id},
                        {"judgement", static_cast<int>(result.judgement)},
                        {"reason", result.reason.substr(0, 4000)},
                        {"came-to-pass", result.came_to_pass},
                        {"points-after", result.points_after},
                        {"seconds", result.seconds},
                        {"not-covered", result.not_covered}}
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

WorldResult result_from_message(const std::string& text) {
  const auto json = nlohmann::json::parse(text);
  WorldResult result;
  result.id = json.at("id");
  result.judgement = static_cast<oracle::Judgement>(json.at("judgement").get<int>());
  result.reason = json.at("reason");
  result.came_to_pass = json.at("came-to-pass");
  result.points_after = json.at("points-after");
  result.seconds = json.at("seconds");
  result.not_covered = json.at("not-covered").get<std::vector<std::string>>();
  return result;
}

static std::string to_message(const Job& job) {
  return nlohmann::json{
      {"id", job.id}, {"processor", job.processor}, {"fault", to_json(job.fault)}, {"keep", job.keep_result}}
      .dump();
}

static Job job_from_message(const std::string& text) {
  const auto json = nlohmann::json::parse(text);
  auto fault = fault_from_json(json.at("fault"));
  CHECK(fault.has_value());  // written by to_message
  return Job{json.at("id"), json.at("processor"), std::move(*fault), json.at("keep")};
}

static void pin_to(int processor) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(processor), &set);
  ::sched_setaffinity(0, sizeof set, &set);
}

std::size_t Zygotes::fork_here(const Moment& moment) {
  std::array<int, 2> pair{};
  CHECK(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()) == 0);
  const pid_t parent = ::getpid();
  const pid_t id = ::fork();
  CHECK(id >= 0);
  if (id == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    ::close(pair[0]);
    controls_.clear();
    wait_for_jobs(pair[1], moment);
  }
  ::close(pair[1]);
  controls_.emplace_back(pair[0]);
  return controls_.size() - 1;
}

void Zygotes::start(std::size_t zygote, const Job& job) {
  const std::string message = to_message(job);
  CHECK(::send(controls_[zygote].get(), message.data(), message.size(), MSG_NOSIGNAL) ==
        static_cast<ssize_t>(message.size()));
}

namespace {

struct Playing {
  Job job;
  Clock::time_point begin;
  bool too_long = false;
};

void give_back(const Backstage& backstage, const Playing& playing, base::WaitStatus status) {
  if (!status.success()) {
    WorldResult result;
    result.id = playing.job.id;
    result.reason = playing.too_long ? "the world took more real time than it may; something in it computes without end"
                                     : "the world's process ended without a result: " + status.describe();
    const std::string message = to_message(result);
    (void)::send(backstage.results, message.data(), message.size(), MSG_NOSIGNAL);
  }
  const char token = static_cast<char>(playing.job.processor);
  (void)!::write(backstage.tokens, &token, 1);
}

}  // namespace

void Zygotes::wait_for_jobs(int control, const Moment& moment) {
  sigset_t child_signal;
  sigemptyset(&child_signal);
  sigaddset(&child_signal, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &child_signal, nullptr);
  const int signals = ::signalfd(-1, &child_signal, SFD_CLOEXEC | SFD_NONBLOCK);
  std::map<pid_t, Playing> playing;
  bool open = true;
  while (open || !playing.empty()) {
    std::array<pollfd, 2> polls{pollfd{open ? control : -1, POLLIN, 0}, pollfd{signals, POLLIN, 0}};
    ::poll(polls.data(), polls.size(), playing.empty() ? -1 : 1'000);
    signalfd_siginfo info{};
    while (::read(signals, &info, sizeof info) > 0) {
    }
    int raw = 0;
    for (pid_t id = 0; !playing.empty() && (id = ::waitpid(-1, &raw, WNOHANG)) > 0;) {
      const auto found = playing.find(id);
      if (found == playing.end()) continue;
      give_back(backstage_, found->second, base::WaitStatus::from_raw(raw));
      playing.erase(found);
    }
    for (auto& [id, one] : playing) {
      if (std::chrono::duration<double>(Clock::now() - one.begin).count() < backstage_.real_seconds_max) continue;
      one.too_long = true;
      ::kill(id, SIGKILL);
    }
    if ((polls[0].revents & (POLLIN | POLLHUP)) == 0) continue;
    std::array<char, 16384> text;
    const ssize_t size = ::recv(control, text.data(), text.size(), 0);
    if (size <= 0) {
      open = false;
      continue;
    }
    const Job job = job_from_message(std::string(text.data(), static_cast<std::size_t>(size)));
    const pid_t parent = ::getpid();
    const pid_t id = ::fork();
    CHECK(id >= 0);
    if (id == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() != parent) ::_exit(1);
      ::close(control);
      ::close(signals);
      pin_to(job.processor);
      const std::string message = to_message(play_branch(backstage_, job, moment));
      (void)::send(backstage_.results, message.data(), message.size(), MSG_NOSIGNAL);
      ::_exit(0);
    }
    playing[id] = {job, Clock::now()};
  }
  ::_exit(0);
}

}  // namespace sweep
