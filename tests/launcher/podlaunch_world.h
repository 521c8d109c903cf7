// The real program for tests, end to end: real git, real processes, folders of its own. Every wait has a bound.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "base/wait_status.h"
#include "launcher/base/files.h"

namespace podlaunch_world {

namespace fs = std::filesystem;
using nlohmann::json;
using Words = std::vector<std::string>;

inline const char* const kPodlaunch = PROJECT_BIN_DIR "/podlaunch";

inline void write(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

inline std::string read(const fs::path& path) {
  return base::read_file(path.string()).value_or("");
}

inline bool holds_within(std::chrono::milliseconds time, const std::function<bool()>& condition) {
  const auto until = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < until) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return condition();
}

// One start of podlaunch; ended with its tree when the test forgets it.
class Launcher {
 public:
  // `through`: words before the program's own name, such as env and its variables. They must exec, not fork.
  Launcher(const Words& words, const fs::path& log, const Words& through = {}) : log_(log) {
    pid_ = ::fork();
    if (pid_ != 0) return;
    ::setpgid(0, 0);
    const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    ::dup2(out, STDOUT_FILENO);
    ::dup2(out, STDERR_FILENO);
    std::vector<char*> arguments;
    for (const std::string& word : through) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(const_cast<char*>(kPodlaunch));
    for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    ::execvp(arguments.front(), arguments.data());
    ::_exit(99);
  }
  Launcher(const Launcher&) = delete;
  ~Launcher() {
    if (pid_ > 0) ::kill(pid_, SIGTERM);
    if (pid_ > 0 && !ends_within(std::chrono::seconds(15))) ::kill(-pid_, SIGKILL);
  }

  void signal(int number) const { ::kill(pid_, number); }
  bool ends_within(std::chrono::milliseconds time) {
    return holds_within(time, [this] {
      int raw = 0;
      if (pid_ > 0 && ::waitpid(pid_, &raw, WNOHANG) == pid_) {
        status_ = base::WaitStatus::from_raw(raw).shell_code();
        pid_ = 0;
      }
      return pid_ == 0;
    });
  }
  // Its exit status; -1 when it is still alive after a minute.
  int status() { return ends_within(std::chrono::seconds(60)) ? status_ : -1; }
  bool says(const std::string& text, std::chrono::milliseconds within = std::chrono::seconds(60)) const {
    return holds_within(within, [&] { return read(log_).find(text) != std::string::npos; });
  }
  std::string log() const { return read(log_); }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = 0;
  int status_ = -1;
  fs::path log_;
};

class Podlaunch : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(home());
    for (const char* variable : {"RUNPOD_POD_ID", "RUNPOD_GPU_COUNT", "RUNPOD_VOLUME_ID"}) ::unsetenv(variable);
    ::setenv("HOME", home().c_str(), 1);
    write(folder_ / "work/setup.py", "first\n");
    write(folder_ / "work/train.sh",
          "echo attempt $PODLAUNCH_ATTEMPT of $PODLAUNCH_RUN_ID from \"$PODLAUNCH_RESUME_FROM\"\n"
          "for step in 1 2 3; do echo step $step; echo {} > $1/ckpt-$step.json; done\n");
    shell(
        "cd work && git init -q -b main . && git add . && git commit -q -m one && git clone -q --bare . "
        "../upstream.git && git remote add up ../upstream.git");
    fs::create_directories(folder_ / "out");
  }
  void TearDown() override {
    if (HasFailure()) {
      std::fprintf(stderr, "the folder is kept: %s\n", folder_.c_str());
    } else {
      fs::remove_all(folder_);
    }
  }

  fs::path home() const { return folder_ / "home"; }
  fs::path checkout() const { return folder_ / "disk/project"; }
  void shell(const std::string& script) const {
    const std::string line =
        "cd " + folder_.string() +
        " && export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b && " + script;
    ASSERT_EQ(std::system(line.c_str()), 0) << script;
  }
  void commit_upstream(const std::string& file, const std::string& text) const {
    write(folder_ / "work" / file, text);
    shell("cd work && git add . && git commit -q -m more && git push -q up main");
  }
  Words words(const Words& extra, const Words& train) const {
    Words all{"--repo",        "file://" + (folder_ / "upstream.git").string(),
              "--ref",         "main",
              "--checkout",    checkout().string(),
              "--state",       (folder_ / "state").string(),
              "--run",         "r",
              "--checkpoints", (folder_ / "out").string() + "/*.json"};
    all.insert(all.end(), extra.begin(), extra.end());
    all.push_back("--");
    all.insert(all.end(), train.begin(), train.end());
    return all;
  }
  Launcher boot(const Words& extra, const Words& train, const std::string& log = "log",
                const Words& through = {}) const {
    return Launcher(words(extra, train), folder_ / log, through);
  }
  Words train_script() const { return {"sh", "train.sh", (folder_ / "out").string()}; }
  json status() const {
    Launcher launcher({"status", "--json", "--state", (folder_ / "state").string(), "--run", "r"}, folder_ / "status");
    EXPECT_EQ(launcher.status(), 0) << launcher.log();
    return json::parse(launcher.log(), nullptr, false);
  }

  static fs::path new_folder() {
    std::string name = testing::TempDir() + "podlaunch_XXXXXX";
    return ::mkdtemp(name.data()) == nullptr ? fs::path() : fs::path(name);
  }

  // Never the same twice: stamps of setup steps outlive a test.
  const fs::path folder_ = new_folder();
};

}  // namespace podlaunch_world
