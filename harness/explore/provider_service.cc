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
  materials.provider_state.clear();
  if (!scenario.provider) return {};
  const auto made = certificates(materials);
  if (!made) return base::fail(made.error());
  const std::string folder = materials.folder + "/provider";
  for (const auto& [name, content] :
       {std::pair{"/certificate.pem", made->certificate}, {"/key.pem", made->key}, {"/state.json", std::string()}}) {
    if (auto placed = pod::place_file(folder + name, content); !placed) return placed;
  }
  const auto socket = listen_on_loopback(https_port, materials);
  if (!socket) return base::fail(socket.error());
  materials.provider_state = folder + "/state.json";
  materials.services.push_back({settings.simrun, "service", "provider", "--certificate", folder + "/certificate.pem",
                                "--key-file", folder + "/key.pem", "--state", materials.provider_state, "--api-key",
                                scenario.provider->key, "--descriptor", fmt::format("{}", *socket), "--log",
                                materials.answers_log});
  return {};
}

}  // namespace explore
