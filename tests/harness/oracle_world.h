// Records of worlds made by hand, and real repositories on real disks, for the tests of the oracles.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "harness/oracle/git_witness.h"
#include "harness/oracle/oracle.h"
#include "harness/pod/record.h"

namespace oracle {

inline Verdict ask(const std::string& name, const scenario::Scenario& scenario, const pod::WorldRecord& record) {
  for (const auto& candidate : all()) {
    if (candidate.name == name) return candidate.check(scenario, record);
  }
  ADD_FAILURE() << "no oracle " << name;
  return {};
}

// A boot that ended by itself with status 1 and got nowhere: number n began at n * 17 s and took 2 s.
inline pod::Boot failing_boot(int number) {
  pod::Boot boot;
  boot.number = number;
  boot.pod_id = "pod-1";
  boot.start = std::chrono::seconds(17 * (number - 1));
  boot.end = boot.start + std::chrono::seconds(2);
  boot.ended_by = pod::BootEnd::kOwnExit;
  boot.status = {base::WaitStatus::Kind::kExited, 1};
  return boot;
}

inline pod::WorldRecord failing_boots(int count) {
  pod::WorldRecord record;
  for (int number = 1; number <= count; ++number) record.boots.push_back(failing_boot(number));
  return record;
}

// A world with a volume at /workspace and a container disk, in a folder that ends with the test.
class WorldOnDisk : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "oracle-test-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
    std::filesystem::create_directories(volume());
    std::filesystem::create_directories(container());
    record_.disks = {{"/", container().string(), scenario::DiskKind::kContainer},
                     {"/workspace", volume().string(), scenario::DiskKind::kVolume}};
    scenario_.pod.disks = {{"/workspace", scenario::DiskKind::kVolume}};
    scenario_.start.checkout = "/workspace/AReaL";
  }
  void TearDown() override {
    std::error_code ignored;  // the folder is in /tmp and the next boot's matter
    std::filesystem::remove_all(root_, ignored);
  }

  std::filesystem::path volume() const { return root_ / "volume"; }
  std::filesystem::path container() const { return root_ / "container"; }
  std::filesystem::path checkout() const { return volume() / "AReaL"; }

  static void write(const std::filesystem::path& path, const std::string& content) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << content;
  }

  static std::string git_in(const std::filesystem::path& folder, std::vector<std::string> arguments) {
    const std::vector<std::string> author = {"-C", folder.string(),           "-c", "user.name=T",
                                             "-c", "user.email=t@example.com"};
    arguments.insert(arguments.begin(), author.begin(), author.end());
    const auto answer = ask_git({arguments, "", {}});
    if (!answer || answer->exit_code != 0) {
      ADD_FAILURE() << "git " << arguments.back() << ": " << (answer ? answer->errors : answer.error().message());
      return "";
    }
    return answer->output.substr(0, answer->output.find('\n'));
  }

  // A repository with one commit that holds train.py.
  void make_checkout() {
    std::filesystem::create_directories(checkout());
    git_in(checkout(), {"init", "--quiet", "--initial-branch=DL4Math"});
    write(checkout() / "train.py", "print('training')\n");
    git_in(checkout(), {"add", "train.py"});
    git_in(checkout(), {"commit", "--quiet", "--message=first"});
  }

  void add_precious(const std::string& content) {
    record_.precious.push_back({"an edit", "/workspace/AReaL/train.py", content});
  }

  std::filesystem::path root_;
  scenario::Scenario scenario_;
  pod::WorldRecord record_;
};

}  // namespace oracle
