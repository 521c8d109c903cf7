#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/unique_fd.h"
#include "base/wait_status.h"
#include "harness/scenario/input_file.h"
#include "harness/sweep/sweep.h"

namespace sweep {

std::string to_json(const Case& one, const std::string& reason) {
  return nlohmann::json{{"scenario", one.file},
                        {"variant", one.variant},
                        {"fault", nlohmann::json::parse(to_json(one.fault))},
                        {"what", one.fault.text()},
                        {"reason", reason}}
             .dump(2, ' ', false, nlohmann::json::error_handler_t::replace) +
         "\n";
}

base::Result<Case> load_case(const std::string& path) {
  const auto text = scenario::read_input(path, "case", scenario::kCaseBytesMax);
  if (!text) return base::fail(text.error());
  const auto json = nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
  const auto is_text = [&](const char* key) { return json.contains(key) && json[key].is_string(); };
  if (!json.is_object() || !is_text("scenario") || !json.contains("fault") ||
      (json.contains("variant") && !is_text("variant")))
    return base::fail(base::invalid_input(path + " is no case", "Use a case as `simrun sweep` saved it"));
  auto fault = fault_from_json(json["fault"].dump());
  if (!fault) return base::fail(fault.error());
  return Case{json["scenario"], json.value("variant", ""), std::move(*fault)};
}

static void send_outcome(int pipe, const Outcome& outcome) {
  const std::string text = to_json(outcome);
  const std::string frame = fmt::format("{:016}", text.size()) + text;
  for (std::size_t written = 0; written < frame.size();) {
    const ssize_t size = ::write(pipe, frame.data() + written, frame.size() - written);
    if (size <= 0) ::_exit(1);
    written += static_cast<std::size_t>(size);
  }
}

static std::optional<std::string> take_frame(std::string& buffer) {
  if (buffer.size() < 16) return std::nullopt;
  const auto size = static_cast<std::size_t>(std::stoull(buffer.substr(0, 16)));
  if (buffer.size() < 16 + size) return std::nullopt;
  std::string frame = buffer.substr(16, size);
  buffer.erase(0, 16 + size);
  return frame;
}

Outcome supervise(const scenario::Scenario& scenario, const explore::Settings& settings, const Options& options,
                  const Progress& progress, const volatile bool& interrupted) {
  std::array<int, 2> pipe{};
  CHECK(::pipe2(pipe.data(), O_CLOEXEC) == 0);
  const pid_t parent = ::getpid();
  const pid_t id = ::fork();
  CHECK(id >= 0);
  if (id == 0) {
    // In a group of its own: an interrupt from the terminal is the parent's to handle. All below end with their
    // parents.
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    ::close(pipe[0]);
    auto last = std::chrono::steady_clock::now() - std::chrono::seconds(1);
    const auto report = [&](const Outcome& outcome) {
      const auto now = std::chrono::steady_clock::now();
      if (now - last < std::chrono::milliseconds(200)) return;
      last = now;
      send_outcome(pipe[1], outcome);
    };
    send_outcome(pipe[1], run_session(scenario, settings, options, report));
    ::_exit(0);
  }
  ::close(pipe[1]);
  const base::UniqueFd from(pipe[0]);
  Outcome outcome;
  outcome.error = "the recording process ended without a result";
  std::string buffer;
  while (!interrupted) {
    pollfd poll{from.get(), POLLIN, 0};
    if (::poll(&poll, 1, 200) <= 0) continue;
    std::array<char, 65536> bytes;
    const ssize_t size = ::read(from.get(), bytes.data(), bytes.size());
    if (size <= 0) break;
    buffer.append(bytes.data(), static_cast<std::size_t>(size));
    while (auto frame = take_frame(buffer)) {
      auto read = outcome_from_json(*frame);
      if (!read) continue;
      outcome = std::move(*read);
      progress(outcome);
    }
  }
  ::kill(id, SIGKILL);
  int raw = 0;
  ::waitpid(id, &raw, 0);
  const auto status = base::WaitStatus::from_raw(raw);
  if (!interrupted && !outcome.complete && outcome.error.empty() && !status.success() && options.budget_seconds == 0)
    outcome.error = "the recording process ended before all worlds were played: " + status.describe();
  return outcome;
}

}  // namespace sweep
