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
