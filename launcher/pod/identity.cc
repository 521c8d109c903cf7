#include "launcher/pod/identity.h"

#include <fmt/format.h>
#include <sys/random.h>
#include <unistd.h>

#include <random>

#include "launcher/base/files.h"

namespace pod {

static std::string value_of(const Environment& environment, const std::string& name) {
  const auto found = environment.find(name);
  return found == environment.end() ? "" : found->second;
}

static std::string draw_boot() {
  std::uint64_t drawn = 0;
  if (::getrandom(&drawn, sizeof drawn, 0) != static_cast<ssize_t>(sizeof drawn)) drawn = std::random_device{}();
  return fmt::format("{:016x}", drawn);
}

Identity identify(const Environment& environment) {
  Identity identity;
  identity.first_process = ::getpid() == 1;
  identity.pod = value_of(environment, "RUNPOD_POD_ID");
  if (identity.pod.empty()) {
    char name[256] = {};
    if (::gethostname(name, sizeof name - 1) == 0) identity.pod = name;
  }
  identity.boot = draw_boot();
  if (const auto boot = base::read_file("/proc/sys/kernel/random/boot_id", 64)) {
    identity.host = boot->substr(0, boot->find('\n'));
  }
  return identity;
}

Environment own_environment() {
  Environment environment;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::size_t equals = text.find('=');
    if (equals != std::string_view::npos && equals > 0)
      environment.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return environment;
}

}  // namespace pod
