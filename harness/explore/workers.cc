#include "harness/explore/workers.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "base/check.h"
#include "base/unique_fd.h"
#include "harness/report/json.h"

namespace explore {

base::Result<void> fixtures_are_there(const Settings& settings) {
  if (!settings.fixtures.empty()) return {};
  return base::fail(base::Error{
      .code = base::ErrorCode::kNotFound,
      .operation = "find the fixtures",
      .path = {},
      .system_errno = 0,
      .detail = "neither ../share/podlaunch/fixtures nor ../../../fixtures is there, seen from the folder of simrun",
      .remedy = "Run simrun from its checkout (./dev simrun) or from an unpacked package"});
}

namespace {

using Clock = std::chrono::steady_clock;

struct Worker {
  pid_t id = 0;
  std::size_t index = 0;  // of its scenario
  int processor = 0;
  base::UniqueFd output;
  std::string text;
  Clock::time_point begin;
};

}  // namespace

oracle::ScenarioResult setup_error(const scenario::Scenario& scenario, const std::string& reason) {
  oracle::ScenarioResult result;
  result.name = scenario.name;
  result.file = scenario.file;
  result.variant = scenario.variant;
  result.story = scenario.story;
  result.judgement = oracle::Judgement::kSetupError;
  result.reason = reason;
  return result;
}

static std::vector<int> allowed_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> processors;
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return {0};
  for (int i = 0; i < CPU_SETSIZE; ++i) {
    if (CPU_ISSET(i, &set)) processors.push_back(i);
  }
  return processors;
}

static void write_all(int descriptor, const std::string& text) {
  for (std::size_t written = 0; written < text.size();) {
    const ssize_t size = ::write(descriptor, text.data() + written, text.size() - written);
    if (size <= 0) return;
    written += static_cast<std::size_t>(size);
  }
}

static Worker start(const scenario::Scenario& scenario, std::size_t index, int processor, const Settings& settings) {
  std::array<int, 2> pipe{};
  CHECK(::pipe2(pipe.data(), O_CLOEXEC) == 0);
  const pid_t parent = ::getpid();
  const pid_t id = ::fork();
  CHECK(id >= 0);
  if (id == 0) {
    // Its tracees end with it (PTRACE_O_EXITKILL), its mounts with its namespaces: nothing outlives simrun.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<std::size_t>(processor), &set);
    ::sched_setaffinity(0, sizeof set, &set);
    write_all(pipe[1], report::to_json(play_here(scenario, settings)));
    ::_exit(0);
  }
  ::close(pipe[1]);
  return Worker{id, index, processor, base::UniqueFd(pipe[0]), {}, Clock::now()};
}

static oracle::ScenarioResult finish(Worker& worker, const scenario::Scenario& scenario, bool too_long) {
  ::kill(worker.id, SIGKILL);
  int status = 0;
  ::waitpid(worker.id, &status, 0);
  if (too_long) {
    return setup_error(scenario, "the world took more real time than it may; something in it computes without end");
  }
  auto result = report::from_json(worker.text);
  if (result) return std::move(*result);
  return setup_error(scenario, fmt::format("the worker ended without a result ({})",
                                           WIFSIGNALED(status) ? fmt::format("signal {}", WTERMSIG(status))
                                                               : fmt::format("exit {}", WEXITSTATUS(status))));
}

std::vector<oracle::ScenarioResult> play_all(const std::vector<scenario::Scenario>& scenarios, const Settings& settings,
                                             int workers,
                                             const std::function<void(const oracle::ScenarioResult&)>& report) {
  std::vector<oracle::ScenarioResult> results(scenarios.size());
  std::vector<int> free = allowed_processors();
  std::vector<Worker> running;
  std::size_t next = 0;
  while (next < scenarios.size() || !running.empty()) {
    while (next < scenarios.size() && static_cast<int>(running.size()) < workers) {
      // More workers than processors share them.
      const int processor = free[running.size() % free.size()];
      const auto taken = [&](int candidate) { return std::ranges::count(running, candidate, &Worker::processor) > 0; };
      const auto idle = std::ranges::find_if_not(free, taken);
      running.push_back(start(scenarios[next], next, idle == free.end() ? processor : *idle, settings));
      ++next;
    }
    std::vector<pollfd> polls;
    for (const Worker& worker : running) polls.push_back({worker.output.get(), POLLIN, 0});
    ::poll(polls.data(), polls.size(), 1'000);
    for (std::size_t i = running.size(); i-- > 0;) {
      Worker& worker = running[i];
      const double spent = std::chrono::duration<double>(Clock::now() - worker.begin).count();
      const bool too_long = spent > settings.real_seconds_max;
      std::array<char, 65536> buffer;
      ssize_t size = -1;
      if (polls[i].revents != 0) size = ::read(worker.output.get(), buffer.data(), buffer.size());
      if (size > 0) worker.text.append(buffer.data(), static_cast<std::size_t>(size));
      if (size != 0 && !too_long) continue;
      results[worker.index] = finish(worker, scenarios[worker.index], too_long);
      report(results[worker.index]);
      running.erase(running.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
  return results;
}

}  // namespace explore
