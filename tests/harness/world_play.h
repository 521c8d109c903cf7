// Plays small worlds for tests: a shell command as PID 1, and what the record says about it.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <string>

#include "harness/faults/file_damage.h"
#include "harness/oracle/promises.h"
#include "harness/pod/isolation.h"
#include "harness/pod/world/world.h"

namespace pod {

using namespace std::chrono_literals;

inline scenario::Scenario shell(const std::string& command) {
  scenario::Scenario scenario;
  scenario.name = "test";
  scenario.start.command = {"bash", "-c", command};
  scenario.pod.disks = {{"/workspace", scenario::DiskKind::kVolume, 64 << 20}};
  scenario.limit = 48h;
  return scenario;
}

inline scenario::Moment at(scenario::Duration time) {
  scenario::Moment moment;
  moment.at = time;
  return moment;
}

inline Materials materials() {
  Materials result;
  result.environment = {{"PATH", "/usr/local/bin:/usr/bin:/bin"}, {"HOME", "/root"}};
  result.hands.damage_file = faults::damage_file;
  result.hands.missing_work = oracle::missing_work;
  return result;
}

// Plays in a process of its own, since entering a world is for good. `tell` turns the record into text for the test.
inline std::string play(const scenario::Scenario& scenario,
                        const std::function<std::string(const WorldRecord&)>& tell) {
  std::array<int, 2> pipe{};
  EXPECT_EQ(::pipe(pipe.data()), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    std::string text;
    const auto folder = enter_world();
    if (folder) {
      Materials stuff = materials();
      stuff.folder = *folder;
      World world(scenario, std::move(stuff));
      const auto record = world.play();
      text = record ? tell(*record) : "error: " + record.error().message();
    } else {
      text = "error: " + folder.error().message();
    }
    (void)!::write(pipe[1], text.data(), text.size());
    ::_exit(0);
  }
  ::close(pipe[1]);
  std::string text;
  std::array<char, 4096> buffer;
  ssize_t size = 0;
  while ((size = ::read(pipe[0], buffer.data(), buffer.size())) > 0)
    text.append(buffer.data(), static_cast<std::size_t>(size));
  ::close(pipe[0]);
  ::waitpid(child, nullptr, 0);
  return text;
}

inline std::string log_of(const WorldRecord& record) {
  std::string text;
  for (const auto& line : record.log) text += line.text + "\n";
  return text;
}

}  // namespace pod
