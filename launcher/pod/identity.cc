#include "launcher/pod/identity.h"

#include <unistd.h>

#include "launcher/base/files.h"

namespace pod {

static std::string value_of(const Environment& environment, const std::string& name) {
  const auto found = environment.find(name);
  return found == environment.end() ? "" : found->second;
}

Identity identify(const Environment& environment) {
  Identity identity;
  identity.first_process = ::getpid() == 1;
  identity.pod = value_of(environment, "RUNPOD_POD_ID");
  if (identity.pod.empty()) {
    char name[256] = {};
    if (::gethostname(name, sizeof name - 1) == 0) identity.pod = name;
  }
  if (const auto boot = base::read_file("/proc/sys/kernel/random/boot_id", 64)) {
    identity.host = boot->substr(0, boot->find('\n'));
  }
  return identity;
}

static void add_entry(Environment& environment, std::string_view entry) {
  const std::size_t equals = entry.find('=');
  if (equals != std::string_view::npos && equals > 0)
    environment.emplace(entry.substr(0, equals), entry.substr(equals + 1));
}

Environment own_environment() {
  Environment environment;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) add_entry(environment, *entry);
  return environment;
}

Environment first_process_environment() {
  Environment environment;
  const auto block = base::read_file("/proc/1/environ", 1U << 20);
  if (!block) return environment;
  for (std::size_t start = 0; start < block->size();) {
    const std::size_t end = std::min(block->find('\0', start), block->size());
    add_entry(environment, std::string_view(*block).substr(start, end - start));
    start = end + 1;
  }
  return environment;
}

}  // namespace pod
