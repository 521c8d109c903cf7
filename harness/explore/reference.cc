#include "harness/explore/reference.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <vector>

#include "base/unique_fd.h"
#include "base/wait_status.h"

namespace explore {

namespace fs = std::filesystem;

static constexpr int kTrainingMillisecondsMax = 60'000;

static base::Error failed(const std::string& detail) {
  return base::Error{.code = base::ErrorCode::kSystem,
                     .operation = "compute the reference of an uninterrupted training",
                     .path = {},
                     .system_errno = 0,
                     .detail = detail,
                     .remedy = "Run the fixture's trainer by hand: fixtures/README.md says how"};
}

base::Result<std::string> train_without_interruption(const scenario::Scenario& scenario, const std::string& fixtures,
                                                     const std::string& folder) {
  std::error_code code;
  fs::create_directories(folder, code);
  if (code) return base::fail(base::system_error(code.value(), "create the folder", folder));
  const std::string trainer =
      fmt::format("{}/repositories/{}/examples/cloud_gsm8k/train.py", fixtures, scenario.repository.fixture);
  const std::vector<std::string> words{"env", "python3", "-S", trainer};  // the one that the pod would find
  const std::vector<std::string> variables{
      "PATH=/usr/local/bin:/usr/bin:/bin",
      fmt::format("TRAINER_STEPS={}", scenario.trainer.steps),
      "TRAINER_STEP_SECONDS=0",
      fmt::format("TRAINER_CHECKPOINT_EVERY={}", scenario.trainer.steps),
      "TRAINER_CHECKPOINTS=" + folder,
      "TRIAL_NAME=reference",
  };
  std::vector<char*> arguments;
  std::vector<char*> environment;
  for (const auto& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  for (const auto& variable : variables) environment.push_back(const_cast<char*>(variable.c_str()));
  arguments.push_back(nullptr);
  environment.push_back(nullptr);

  const std::string output = folder + "/output";
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 1, output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  ::posix_spawn_file_actions_adddup2(&actions, 1, 2);
  pid_t child = 0;
  const int refused = ::posix_spawn(&child, "/usr/bin/env", &actions, nullptr, arguments.data(), environment.data());
  ::posix_spawn_file_actions_destroy(&actions);
  if (refused != 0)
    return base::fail(base::system_error(refused, "execute", "/usr/bin/env", "Install coreutils and python3"));

  const base::UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
  pollfd end{process.get(), POLLIN, 0};
  const bool in_time = ::poll(&end, 1, kTrainingMillisecondsMax) == 1;
  if (!in_time) ::kill(child, SIGKILL);
  int raw = 0;
  ::waitpid(child, &raw, 0);
  const auto read = [](const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return std::string{std::istreambuf_iterator<char>(file), {}};
  };
  if (!in_time) return base::fail(failed("it did not end within a minute"));
  if (!base::WaitStatus::from_raw(raw).success()) return base::fail(failed(read(output)));
  return read(folder + "/final.json");
}

}  // namespace explore
