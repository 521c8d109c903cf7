#include "harness/explore/git_service.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <memory>
#include <string_view>

#include "base/unique_fd.h"
#include "harness/pod/disks.h"

namespace explore {

static constexpr int kGitPort = 8418;
static constexpr int kGitPortBehindProxy = 8419;
static constexpr const char* kGitHostName = "git.simrun";

base::Result<int> listen_on_loopback(int port, pod::Materials& materials) {
  base::UniqueFd socket(::socket(AF_INET, SOCK_STREAM, 0));
  const int yes = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(socket.get(), 64) != 0) {
    return base::fail(base::system_error(errno, "listen for requests inside the world"));
  }
  materials.service_sockets.push_back(std::make_shared<base::UniqueFd>(std::move(socket)));
  const int descriptor = materials.service_sockets.back()->get();
  materials.service_descriptors.push_back(descriptor);
  return descriptor;
}

// "https://github.com/nexthybrid/AReaL.git" -> {"https://github.com/", "nexthybrid/AReaL.git"}
static std::pair<std::string, std::string> split_url(const std::string& url) {
  const auto scheme = url.find("://");
  const auto slash = url.find('/', scheme == std::string::npos ? 0 : scheme + 3);
  if (slash == std::string::npos) return {url, {}};
  return {url.substr(0, slash + 1), url.substr(slash + 1)};
}

template <class Matches>
static bool has_fault(const scenario::Scenario& scenario, Matches matches) {
  return std::ranges::any_of(scenario.timeline, [&](const scenario::TimelineEntry& entry) {
    const auto* fault = std::get_if<scenario::NetworkFault>(&entry.action);
    return fault != nullptr && matches(*fault);
  });
}

bool needs_proxy(const scenario::Scenario& scenario, const Settings& settings, const std::string& service) {
  using enum scenario::NetworkWay;
  return settings.network_may_fail || has_fault(scenario, [&](const scenario::NetworkFault& fault) {
           return fault.service == service && way_of(fault) != kLookUp && way_of(fault) != kConnection;
         });
}

base::Result<void> place_proxy(pod::Materials& materials, const Settings& settings, const std::string& service,
                               int port, int behind, const std::string& keys) {
  const auto front = listen_on_loopback(port, materials);
  if (!front) return base::fail(front.error());
  const std::string rules = fmt::format("{}/network-{}.rules", materials.folder, service);
  if (auto placed = pod::place_file(rules, ""); !placed) return placed;
  materials.network_rules[service] = rules;
  std::vector<std::string> command{settings.simrun,
                                   "service",
                                   "faults",
                                   "--descriptor",
                                   fmt::format("{}", *front),
                                   "--port",
                                   fmt::format("{}", behind),
                                   "--rules",
                                   rules,
                                   "--log",
                                   materials.answers_log,
                                   "--service",
                                   service};
  if (!keys.empty())
    command.insert(command.end(), {"--certificate", keys + "/certificate.pem", "--key-file", keys + "/key.pem"});
  materials.services.push_back(std::move(command));
  return {};
}

std::string upstream_path(const pod::Materials& materials, const scenario::Scenario& scenario) {
  return materials.folder + "/upstream/" + split_url(scenario.repository.url).second;
}

void name_git_host(pod::Materials& materials, const scenario::Scenario& scenario, const Settings& settings) {
  // Only where a name may become unknown is there a name at all: to look it up is work that every boot would pay for.
  const bool by_name = settings.network_may_fail || has_fault(scenario, [](const auto& fault) {
                         return fault.service == "git" && fault.fault == "dns-failure";
                       });
  materials.files["/etc/gitconfig"] =
      fmt::format("[url \"http://{}:{}/\"]\n\tinsteadOf = {}\n[init]\n\tdefaultBranch = main\n",
                  by_name ? kGitHostName : "127.0.0.1", kGitPort, split_url(scenario.repository.url).first);
  if (by_name) materials.files["/etc/hosts"] = fmt::format("127.0.0.1 localhost {}\n::1 localhost\n", kGitHostName);
}

base::Result<void> place_git_service(pod::Materials& materials, const scenario::Scenario& scenario,
                                     const Settings& settings) {
  materials.upstream_path = upstream_path(materials, scenario);
  materials.service_ports["git"] = kGitPort;
  const bool behind_proxy = needs_proxy(scenario, settings, "git");
  const int port = behind_proxy ? kGitPortBehindProxy : kGitPort;
  const auto socket = listen_on_loopback(port, materials);
  if (!socket) return base::fail(socket.error());
  materials.services.push_back({settings.simrun, "service", "git", "--root", materials.folder + "/upstream",
                                "--descriptor", fmt::format("{}", *socket), "--log", materials.answers_log});
  if (!behind_proxy) return {};
  return place_proxy(materials, settings, "git", kGitPort, port);
}

}  // namespace explore
