#include "launcher/pod/gpus.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <sstream>

#include "base/unique_fd.h"
#include "launcher/base/process.h"

namespace pod {

using base::Clock;
using base::TimePoint;

bool in_path(const std::string& program) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "/usr/local/bin:/usr/bin:/bin" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (::access((folder + "/" + program).c_str(), X_OK) == 0) return true;
  }
  return false;
}

static std::string trim(const std::string& text) {
  const std::size_t start = text.find_first_not_of(" \t\r");
  if (start == std::string::npos) return {};
  return text.substr(start, text.find_last_not_of(" \t\r") - start + 1);
}

std::vector<Gpu> parse_gpus(std::string_view answer) {
  std::vector<Gpu> gpus;
  std::istringstream lines{std::string(answer)};
  for (std::string line; std::getline(lines, line);) {
    std::vector<std::string> fields;
    std::istringstream row(line);
    for (std::string field; std::getline(row, field, ',');) fields.push_back(trim(field));
    if (fields.size() < 4 || !fields[0].starts_with("GPU-")) continue;
    gpus.push_back({.uuid = fields[0],
                    .name = fields[1],
                    .memory_mebibytes = std::atol(fields[2].c_str()),
                    .uncorrected_errors = std::atol(fields[3].c_str())});  // "[N/A]" counts as none
  }
  return gpus;
}

GpuReport ask_for_gpus(base::Waiter& waiter, base::Seconds deadline) {
  GpuReport report;
  if (!in_path("nvidia-smi")) return report;
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return report;
  base::UniqueFd reading(ends[0]), writing(ends[1]);
  (void)::fcntl(reading.get(), F_SETFL, O_NONBLOCK);
  base::Program program;
  program.arguments = {"nvidia-smi", "--query-gpu=uuid,name,memory.total,ecc.errors.uncorrected.volatile.total",
                       "--format=csv,noheader,nounits"};
  program.output = program.errors = writing.get();
  const auto child = base::spawn(program, waiter);
  if (!child) return report;
  writing.reset();

  const TimePoint until = Clock::now() + deadline;
  std::string answer;
  std::optional<base::WaitStatus> status;
  while (!(status = waiter.take_status(*child)) && Clock::now() < until && waiter.stop_signal() == 0) {
    pollfd descriptor{reading.valid() ? reading.get() : -1, POLLIN, 0};
    waiter.wait(std::span<pollfd>(&descriptor, 1), until);
    char buffer[4096];
    ssize_t count = 0;
    while (reading.valid() && (count = ::read(reading.get(), buffer, sizeof buffer)) > 0)
      answer.append(buffer, static_cast<std::size_t>(count));
    if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) reading.reset();
  }
  if (!status) {
    // In the kernel's hands it may not even die; it is reaped whenever it does.
    (void)::kill(-*child, SIGKILL);
    waiter.abandon(*child);
    report.state = GpuReport::State::kHung;
    return report;
  }
  char buffer[4096];
  for (ssize_t count = 0; reading.valid() && (count = ::read(reading.get(), buffer, sizeof buffer)) > 0;)
    answer.append(buffer, static_cast<std::size_t>(count));
  report.state = status->success() ? GpuReport::State::kAnswered : GpuReport::State::kFailed;
  report.gpus = status->success() ? parse_gpus(answer) : std::vector<Gpu>();
  if (!status->success()) report.detail = status->describe() + ": " + trim(answer.substr(0, answer.find('\n')));
  return report;
}

}  // namespace pod
