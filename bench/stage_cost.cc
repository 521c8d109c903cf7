// What the stage costs a program: git clone on a stage against the same clone without one, in turn.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/check.h"
#include "harness/stage/stage.h"

namespace {

namespace fs = std::filesystem;

using Words = std::vector<std::string>;

// Nobody looks.
class EmptyHouse : public stage::Watcher {
 public:
  void path_used(const stage::PathUse&) override {}
  int mark(const stage::Process&, const std::string&) override { return ENOENT; }
  std::string instead_of(const std::string&) override { return {}; }
  void syscall_entered(const stage::Process&, const stage::Syscall&) override {}
  void executed(const stage::Process&) override {}
  int connecting(const stage::Process&, const stage::Peer&) override { return 0; }
  void ended(const stage::Process& process, base::WaitStatus status) override {
    if (process.id == first) succeeded = status.success();
  }
  bool drain() override { return false; }

  pid_t first = 0;
  bool succeeded = false;
};

enum class Where { kNative, kOnStage, kWithFaultPoints };

// Runs a program to its end; its first step waits for `go`.
pid_t start(const Words& command, Where where, std::array<int, 2>& go) {
  CHECK(::pipe2(go.data(), O_CLOEXEC) == 0);
  const pid_t child = ::fork();
  CHECK(child >= 0);
  if (child != 0) return child;
  char byte = 0;
  (void)!::read(go[0], &byte, 1);
  const auto points = where == Where::kWithFaultPoints ? stage::FaultPoints::kWatched : stage::FaultPoints::kIgnored;
  if (where != Where::kNative && stage::install_filter(stage::Troupe::kPod, points) != 0) ::_exit(126);
  std::vector<char*> arguments;
  for (const auto& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  ::execvp(arguments[0], arguments.data());
  ::_exit(127);
}

void let_go(const std::array<int, 2>& go) {
  (void)!::write(go[1], "x", 1);
  ::close(go[0]);
  ::close(go[1]);
}

bool run_native(const Words& command) {
  std::array<int, 2> go{};
  const pid_t child = start(command, Where::kNative, go);
  let_go(go);
  int status = 0;
  return ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool run_staged(const Words& command, Where where) {
  stage::VirtualClock clock(1'767'225'600LL * stage::kSecond);
  EmptyHouse house;
  stage::Stage stage(clock, house);
  if (where == Where::kWithFaultPoints) stage.watch_changes();
  std::array<int, 2> go{};
  house.first = start(command, where, go);
  if (!stage.adopt(house.first, stage::Troupe::kPod).has_value()) return false;
  let_go(go);
  stage.run();
  return house.succeeded;
}

// A project of 2,000 files of 6 kB, and its folder; removed with the object.
class Project {
 public:
  Project() {
    std::string pattern = (fs::temp_directory_path() / "bench-stage-XXXXXX").string();
    CHECK(::mkdtemp(pattern.data()) != nullptr);
    folder = pattern;
    for (int i = 0; i < 2000; ++i) {
      const fs::path file = folder / "origin" / fmt::format("part{}", i % 50) / fmt::format("module{}.py", i);
      fs::create_directories(file.parent_path());
      std::ofstream stream(file);
      for (int line = 0; line < 150; ++line) stream << fmt::format("value_{} = compute({})  # {}\n", line, i * line, i);
    }
    CHECK(run_native(
        {"sh", "-c",
         fmt::format("cd {} && git init -q && git add . && git -c user.name=a -c user.email=a@b commit -qm a "
                     "&& git gc -q",
                     (folder / "origin").string())}));
  }
  ~Project() {
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  }

  fs::path folder;
};

struct Cost {
  double seconds = 0;
  double processor_seconds = 0;
};

double processor_seconds() {
  double sum = 0;
  for (const int who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
    rusage used{};
    CHECK(::getrusage(who, &used) == 0);
    for (const timeval& time : {used.ru_utime, used.ru_stime})
      sum += static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  }
  return sum;
}

Cost cost_of_clone(const Project& project, Where where) {
  const fs::path target = project.folder / "clone";
  const Words command{"git", "clone", "-q", "file://" + (project.folder / "origin").string(), target.string()};
  const auto begin = std::chrono::steady_clock::now();
  const double used = processor_seconds();
  CHECK(where == Where::kNative ? run_native(command) : run_staged(command, where));
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begin;
  const Cost cost{spent.count(), processor_seconds() - used};
  fs::remove_all(target);
  return cost;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Both on one processor, as the stage has it.
void git_clone(benchmark::State& state, Where where) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(0, &one);
  CHECK(::sched_setaffinity(0, sizeof one, &one) == 0);
  const Project project;
  cost_of_clone(project, Where::kNative);
  std::vector<double> times, processor_times;
  for (auto iteration : state) {
    (void)iteration;
    const Cost native = cost_of_clone(project, Where::kNative);
    const Cost staged = cost_of_clone(project, where);
    state.SetIterationTime(staged.seconds);
    times.push_back(staged.seconds / native.seconds);
    processor_times.push_back(staged.processor_seconds / native.processor_seconds);
  }
  state.counters["times_native"] = median(times);
  state.counters["times_native_processor"] = median(processor_times);
}

BENCHMARK_CAPTURE(git_clone, on_stage, Where::kOnStage)->UseManualTime()->Iterations(15)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(git_clone, with_fault_points, Where::kWithFaultPoints)
    ->UseManualTime()
    ->Iterations(15)
    ->Unit(benchmark::kMillisecond);

}  // namespace
