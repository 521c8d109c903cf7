#include "harness/explore/provider_service.h"

#include <fmt/format.h>

#include "harness/explore/git_service.h"
#include "harness/pod/disks.h"
#include "harness/services/provider_certificates.h"

namespace explore {

// The certificates are the same each time, so that disks from another world with this epoch fit.
static base::Result<services::Certificates> certificates(const pod::Materials& materials) {
  return services::make_certificates({"api.runpod.io", "rest.runpod.io"}, materials.epoch_seconds);
}

base::Result<void> name_provider(pod::Materials& materials, const scenario::Scenario& scenario) {
  if (!scenario.provider) return {};
  const auto made = certificates(materials);
  if (!made) return base::fail(made.error());
  materials.files["/etc/ssl/certs/ca-certificates.crt"] = made->authority;
  std::string& hosts = materials.files["/etc/hosts"];
  if (hosts.empty()) hosts = "127.0.0.1 localhost\n::1 localhost\n";
  hosts += "127.0.0.1 api.runpod.io\n127.0.0.1 rest.runpod.io\n";
  materials.environment.emplace("RUNPOD_API_KEY", scenario.provider->key);
  return {};
}

base::Result<void> place_provider_service(pod::Materials& materials, const scenario::Scenario& scenario,
                                          const Settings& settings) {
  constexpr int https_port = 443;
  constexpr int port_behind_proxy = 8420;
  materials.provider_state.clear();
  if (!scenario.provider) return {};
  const auto made = certificates(materials);
  if (!made) return base::fail(made.error());
  const std::string folder = materials.folder + "/provider";
  for (const auto& [name, content] :
       {std::pair{"/certificate.pem", made->certificate}, {"/key.pem", made->key}, {"/state.json", std::string()}}) {
    if (auto placed = pod::place_file(folder + name, content); !placed) return placed;
  }
  materials.service_ports["provider"] = https_port;
  const bool behind_proxy = needs_proxy(scenario, settings, "provider");
  const auto socket = listen_on_loopback(behind_proxy ? port_behind_proxy : https_port, materials);
  if (!socket) return base::fail(socket.error());
  materials.provider_state = folder + "/state.json";
  std::vector<std::string> command{settings.simrun,
                                   "service",
                                   "provider",
                                   "--state",
                                   materials.provider_state,
                                   "--api-key",
                                   scenario.provider->key,
                                   "--descriptor",
                                   fmt::format("{}", *socket),
                                   "--log",
                                   materials.answers_log};
  if (!behind_proxy)
    command.insert(command.end(), {"--certificate", folder + "/certificate.pem", "--key-file", folder + "/key.pem"});
  materials.services.push_back(std::move(command));
  if (!behind_proxy) return {};
  return place_proxy(materials, settings, "provider", https_port, port_behind_proxy, folder);
}

}  // namespace explore
