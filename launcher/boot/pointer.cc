#include "launcher/boot/pointer.h"

#include <unistd.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

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

void leave_pointer(const Pointer& pointer) {
  const json document{
      {"run", pointer.run}, {"folder", pointer.folder}, {"checkout", pointer.checkout}, {"process", pointer.process}};
  // Without it `status` has to be told where to look; nothing else depends on it.
  if (!base::make_folders(container_folder())) return;
  (void)base::write_file_durably(container_folder() + "/current.json", document.dump());
}

std::optional<Pointer> find_pointer() {
  const auto text = base::read_file(container_folder() + "/current.json", 65536);
  if (!text) return std::nullopt;
  const json document = json::parse(*text, nullptr, false);
  if (!document.is_object()) return std::nullopt;
  return Pointer{.run = document.value("run", ""),
                 .folder = document.value("folder", ""),
                 .checkout = document.value("checkout", ""),
                 .process = document.value("process", 0)};
}

}  // namespace boot
