#include "harness/services/service_command.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>

#include "harness/services/git_server.h"
#include "harness/services/network/fault_proxy.h"
#include "harness/services/provider_server.h"

namespace services {

static constexpr int kSetupError = 3;

int run_service(const std::vector<std::string>& words) {
  CLI::App app{"A service of a world; started by simrun itself.", "simrun service"};
  app.require_subcommand(1);
  GitServer server;
  CLI::App* git = app.add_subcommand("git", "repositories over HTTP");
  git->add_option("--root", server.root)->required();
  git->add_option("--descriptor", server.descriptor)->required();
  git->add_option("--log", server.log)->required();
  FaultProxy proxy;
  CLI::App* faults = app.add_subcommand("faults", "what spoils the answers of another service");
  faults->add_option("--descriptor", proxy.descriptor)->required();
  faults->add_option("--port", proxy.port);
  faults->add_option("--certificate", proxy.certificate);
  faults->add_option("--key-file", proxy.key_file);
  faults->add_option("--rules", proxy.rules)->required();
  faults->add_option("--log", proxy.log)->required();
  faults->add_option("--service", proxy.service)->required();
  ProviderServer provider;
  CLI::App* api = app.add_subcommand("provider", "the provider's API over HTTPS");
  api->add_option("--certificate", provider.certificate);
  api->add_option("--key-file", provider.key_file);
  api->add_option("--state", provider.state)->required();
  api->add_option("--api-key", provider.api_key)->required();
  api->add_option("--descriptor", provider.descriptor)->required();
  api->add_option("--log", provider.log)->required();
  std::vector<std::string> reversed(words.rbegin(), words.rend());
  try {
    app.parse(reversed);
  } catch (const CLI::ParseError& error) {
    std::cerr << "simrun service: " << error.what() << "\n";
    return error.get_exit_code() == 0 ? 0 : kSetupError;
  }
  if (*api) return run_provider_server(provider);
  return *git ? run_git_server(server) : run_fault_proxy(proxy);
}

}  // namespace services
