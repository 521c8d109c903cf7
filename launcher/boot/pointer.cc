#include "launcher/boot/pointer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/unique_fd.h"
#include "launcher/base/files.h"

namespace boot {

using nlohmann::json;

std::string container_folder() {
  static const std::string folder = [] {
    const std::string common = "/var/lib/podlaunch";
    if (::access("/var/lib", W_OK) == 0 && base::make_folders(common) && ::access(common.c_str(), W_OK) == 0)
      return common;
    const char* home = std::getenv("HOME");
    return std::string(home == nullptr || *home == '\0' ? "/tmp" : home) + "/.local/state/podlaunch";
  }();
  return folder;
}

// Field 22 of /proc/PID/stat; 0 when there is no such process.
static std::uint64_t born(pid_t process) {
  const auto line = base::read_file(fmt::format("/proc/{}/stat", process), 4096);
  const std::size_t name_end = line ? line->rfind(')') : std::string::npos;
  if (name_end == std::string::npos) return 0;
  std::istringstream fields(line->substr(name_end + 1));
  std::string field;
  for (int number = 3; number <= 22; ++number) fields >> field;
  return std::strtoull(field.c_str(), nullptr, 10);
}

bool Pointer::alive() const {
  return process > 0 && this->born != 0 && boot::born(process) == this->born;
}

// Where a launcher may leave it, and where it is looked for: by whichever user and with whichever environment.
static std::vector<std::string> places() {
  std::vector<std::string> all{"/run/podlaunch"};
  const char* own = std::getenv("XDG_RUNTIME_DIR");
  if (own != nullptr && *own == '/') all.push_back(std::string(own) + "/podlaunch");
  all.push_back(container_folder());
  return all;
}

static std::optional<Pointer> read_pointer(const std::string& place) {
  const auto text = base::read_file(place + "/current.json", 1U << 20);
  if (!text) return std::nullopt;
  const json document = json::parse(*text, nullptr, false);
  if (!document.is_object()) return std::nullopt;
  try {
    return Pointer{.run = document.value("run", ""),
                   .folder = document.value("folder", ""),
                   .checkout = document.value("checkout", ""),
                   .process = document.value("process", 0),
                   .born = document.value("born", std::uint64_t{0}),
                   .started_in = document.value("started_in", ""),
                   .arguments = document.value("arguments", std::vector<std::string>{})};
  } catch (const json::exception&) {
    return std::nullopt;  // of another version
  }
}

// Readers see the old content or the new one. It need not outlive a power cut.
static bool write_privately(const std::string& place, const std::string& content) {
  if (!base::make_folders(place)) return false;
  const std::string beside = fmt::format("{}/current.json.{}", place, ::getpid());
  {
    const base::UniqueFd file(::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!file.valid() || !base::write_all(file.get(), content)) return false;
  }
  if (::rename(beside.c_str(), (place + "/current.json").c_str()) == 0) return true;
  (void)::unlink(beside.c_str());
  return false;
}

void leave_pointer(Pointer pointer) {
  pointer.process = ::getpid();
  pointer.born = born(pointer.process);
  const json document{{"run", pointer.run},
                      {"folder", pointer.folder},
                      {"checkout", pointer.checkout},
                      {"process", pointer.process},
                      {"born", pointer.born},
                      {"started_in", pointer.started_in},
                      {"arguments", pointer.arguments}};
  const std::string content = document.dump(-1, ' ', false, json::error_handler_t::replace);
  for (const std::string& place : places()) {
    const auto there = read_pointer(place);
    if (there && there->process == 1 && pointer.process != 1 && there->alive()) return;
    // Where it cannot be left `status` has to be told where to look; nothing else depends on it.
    if (write_privately(place, content)) return;
  }
}

std::optional<Pointer> find_pointer() {
  std::optional<Pointer> best;
  for (const std::string& place : places()) {
    auto there = read_pointer(place);
    if (!there) continue;
    if (there->process == 1 && there->alive()) return there;
    if (!best || (there->alive() && !best->alive())) best = std::move(there);
  }
  return best;
}

config::Environment environment_of(const Pointer& pointer, const config::Environment& ours) {
  if (!pointer.alive()) return ours;
  const auto block = base::read_file(fmt::format("/proc/{}/environ", pointer.process), 4U << 20);
  if (!block || block->empty()) return ours;
  config::Environment environment;
  std::istringstream entries(*block);
  for (std::string entry; std::getline(entries, entry, '\0');) {
    const std::size_t equals = entry.find('=');
    if (equals != std::string::npos && equals > 0)
      environment.emplace(entry.substr(0, equals), entry.substr(equals + 1));
  }
  return environment;
}

}  // namespace boot
