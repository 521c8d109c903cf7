#include "harness/explore/doctor.h"

#include <fmt/format.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <sstream>

#include "base/check.h"
#include "harness/pod/isolation.h"
#include "harness/pod/world/world.h"

namespace explore {

namespace fs = std::filesystem;

static std::string find_program(const std::string& name) {
  std::istringstream path(std::getenv("PATH") == nullptr ? "/usr/bin:/bin" : std::getenv("PATH"));
  for (std::string folder; std::getline(path, folder, ':');) {
    if (::access((folder + "/" + name).c_str(), X_OK) == 0) return folder + "/" + name;
  }
  return {};
}

// In a process of its own, because entering a world is for good. Empty when all went well.
static std::string in_a_world(const std::function<std::string(const std::string& folder)>& act) {
  std::array<int, 2> pipe{};
  CHECK(::pipe(pipe.data()) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto folder = pod::enter_world();
    const std::string text = folder ? act(*folder) : folder.error().message();
    (void)!::write(pipe[1], text.data(), text.size());
    ::_exit(0);
  }
  ::close(pipe[1]);
  std::array<char, 4096> text{};
  const ssize_t size = ::read(pipe[0], text.data(), text.size());
  ::close(pipe[0]);
  ::waitpid(child, nullptr, 0);
  return {text.data(), static_cast<std::size_t>(size > 0 ? size : 0)};
}

static std::string play_small_world(const std::string& folder) {
  scenario::Scenario scenario;
  scenario.start.command = {"bash", "-c", "sleep 3600; exit 1"};
  scenario.pod.platform = "none";
  pod::Materials materials;
  materials.folder = folder;
  materials.environment = {{"PATH", "/usr/local/bin:/usr/bin:/bin"}};
  pod::World world(scenario, std::move(materials));
  const auto record = world.play();
  if (!record) return record.error().message();
  const auto& boot = record->boots.front();
  return boot.end == std::chrono::hours(1) || boot.end - std::chrono::hours(1) < std::chrono::seconds(1)
             ? std::string()
             : "an hour's sleep did not take an hour of virtual time";
}

std::vector<Check> examine_machine(const Settings& settings) {
  std::vector<Check> checks;
  utsname system{};
  ::uname(&system);
  checks.push_back({"Linux on x86_64", std::string(system.machine) == "x86_64",
                    fmt::format("{} {}", system.release, system.machine)});
  for (const char* program : {"git", "python3", "bash"}) {
    const std::string path = find_program(program);
    checks.push_back(
        {program, !path.empty(), path.empty() ? fmt::format("install it: apt-get install {}", program) : path});
  }
  checks.push_back(
      {"podlaunch beside simrun", !settings.podlaunch.empty(),
       settings.podlaunch.empty() ? "scenarios that start podlaunch cannot be played" : settings.podlaunch});
  const std::string isolation = in_a_world([](const std::string&) { return std::string(); });
  checks.push_back({"namespaces", isolation.empty(), isolation.empty() ? "user, mount, network, UTS, IPC" : isolation});
  if (!isolation.empty()) return checks;
  const std::string world = in_a_world(play_small_world);
  checks.push_back({"a small world: ptrace, seccomp, overlay", world.empty(),
                    world.empty() ? "an hour's sleep took no time" : world});
  return checks;
}

}  // namespace explore
