#include "harness/explore/notify_service.h"

#include "harness/explore/git_service.h"

namespace explore {

void name_web_hook(pod::Materials& materials, const scenario::Scenario& scenario) {
  if (!scenario::names_web_hook(scenario)) return;
  std::string& hosts = materials.files["/etc/hosts"];
  if (hosts.empty()) hosts = "127.0.0.1 localhost\n::1 localhost\n";
  hosts += "127.0.0.1 hook.simrun\n";
}

base::Result<void> place_web_hook(pod::Materials& materials, const scenario::Scenario& scenario,
                                  const Settings& settings) {
  constexpr int kHttpPort = 80;
  if (!scenario::names_web_hook(scenario)) return {};
  materials.service_ports["notify"] = kHttpPort;
  return place_proxy(materials, settings, "notify", kHttpPort, /*behind=*/0);
}

}  // namespace explore
