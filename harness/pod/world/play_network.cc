// What the network does to the pod. The whole of it can be down; or one service refuses connections or has a name that
// nobody knows, which the world itself answers; or a service answers wrongly, which the proxy in front of it does.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <sstream>

#include "base/check.h"
#include "harness/pod/virtual_time.h"
#include "harness/pod/world/play.h"

namespace pod {

using scenario::NetworkWay;
using scenario::way_of;

static bool lasts_for_good(const scenario::NetworkFault& fault) {
  return fault.times == 0 && fault.lasting == Duration::zero();
}

// Connections and names have no bytes that a proxy could spoil.
static bool is_answered_by_the_world(const scenario::NetworkFault& fault) {
  const NetworkWay way = way_of(fault);
  return way == NetworkWay::kCall || way == NetworkWay::kConnection || way == NetworkWay::kLookUp;
}

void World::Play::do_action(const scenario::NetworkDown& action) {
  network_down_ = true;
  stage_->hold_services();
  if (action.lasting <= Duration::zero()) return;
  stage_->at((now() + action.lasting).count(), [this] {
    network_down_ = false;
    disturbed_ = true;
    stage_->release_services();
    event(EventKind::kHeal, "network up");
    note_activity();
  });
}

void World::Play::do_action(const scenario::NetworkFault& action) {
  NetworkRule rule{.id = static_cast<int>(network_rules_.size()), .fault = action};
  if (action.lasting > Duration::zero()) {
    rule.until = now() + action.lasting;
    stage_->at(rule.until.count(), [this, action] {
      disturbed_ = true;
      event(EventKind::kHeal, fmt::format("over: {}", describe(action)));
      note_activity();
    });
  }
  network_rules_.push_back(rule);
  publish(rule);
}

void World::Play::publish(const NetworkRule& rule) {
  if (is_answered_by_the_world(rule.fault)) return;
  NetworkRule told = rule;
  // The proxy reads the monotonic clock.
  if (told.until != Duration::zero()) told.until += Duration(clock_.monotonic() - clock_.now());
  const auto file = materials_.network_rules.find(rule.fault.service);
  CHECK(file != materials_.network_rules.end());  // whoever built the world put a proxy there
  std::ofstream(file->second, std::ios::app) << encode(told) << "\n";
}

// To proxies that know of none: all that ever began, as far as they have come.
void World::Play::publish_network_rules() {
  for (const NetworkRule& rule : network_rules_) publish(rule);
}

void World::Play::note_use(const std::string& service, scenario::NetworkWay way, const std::string& text) {
  const int number = ++uses_in_boot_[{service, way}];
  if (materials_.points != nullptr) materials_.points->asked({service, way, text, number});
}

// Counts a request. True: it is struck.
template <class Concerns>
bool World::Play::strikes(Concerns concerns) {
  const NetworkRule* rule = strike(network_rules_, now(), concerns);
  if (rule == nullptr) return false;
  if (!lasts_for_good(rule->fault)) disturbed_ = true;
  struck_fault_ = rule->fault.fault;
  return true;
}

int World::Play::connecting(const stage::Process& process, const stage::Peer& peer) {
  if (peer.is_local) return 0;
  if (network_down_) return ENETUNREACH;
  if (process.troupe != stage::Troupe::kPod) return 0;
  const auto asked =
      std::ranges::find(materials_.service_ports, peer.port, &std::map<std::string, int>::value_type::second);
  if (asked == materials_.service_ports.end()) return 0;
  note_use(asked->first, NetworkWay::kConnection, fmt::format("port {}", peer.port));
  const bool refused = strikes(
      [&](const scenario::NetworkFault& fault) { return fault.fault == "refuse" && fault.service == asked->first; });
  return refused ? ECONNREFUSED : 0;
}

// The pod's disks are made of tmpfs; programs that ask the mount table what will survive must hear what is played. A
// name that is not to be found is sought in an empty table.
std::string World::Play::instead_of(const std::string& path) {
  if (path == "/etc/hosts") {
    note_use("names", NetworkWay::kLookUp, "");
    const bool unknown = strikes(
        [](const scenario::NetworkFault& fault) { return fault.fault == "dns-failure" && fault.service != "pip"; });
    return unknown ? "/dev/null" : "";
  }
  if (!path.starts_with("/proc/") || left_alone_) return {};
  if (path.ends_with("/mountinfo")) return kMountinfoFile;
  return path.ends_with("/mounts") ? kMountsFile : "";
}

// pip asks whether something is wrong, and then, name by name, what it is.
int World::Play::pip_mark(const std::string& what) {
  if (what != "pip") return what == "pip-fault/" + struck_fault_ ? 0 : ENOENT;
  count_start("pip install");
  note_use("pip", NetworkWay::kCall, "pip install");
  if (strikes([](const scenario::NetworkFault& fault) { return fault.service == "pip"; })) return 0;
  if (pip_failures_left_ == 0) return ENOENT;
  if (pip_failures_left_ > 0) --pip_failures_left_;
  struck_fault_ = "refuse";
  return 0;
}

// A proxy has a request, "git/request/GET /…", or an answer with a pack, and is about to count it by its rules.
int World::Play::network_mark(const std::string& what) {
  const auto slash = what.find('/');
  const auto second = what.find('/', slash + 1);
  if (second == std::string::npos) return ENOENT;
  const std::string service = what.substr(0, slash);
  const bool pack = what.substr(slash + 1, second - slash - 1) == "pack";
  note_use(service, pack ? NetworkWay::kPack : NetworkWay::kRequest, what.substr(second + 1));
  strikes([&](const scenario::NetworkFault& fault) {
    const bool about_packs = way_of(fault) == NetworkWay::kPack;
    return fault.service == service && !is_answered_by_the_world(fault) && about_packs == pack;
  });
  return ENOENT;
}

bool World::Play::network_may_change() const {
  for (const NetworkRule& rule : network_rules_) {
    if (!lasts_for_good(rule.fault) && !rule.over(now())) return true;
  }
  return false;
}

bool World::Play::network_heals_later() const {
  for (const NetworkRule& rule : network_rules_) {
    if (rule.until > now()) return true;
  }
  return false;
}

// Faults that met no request have shown nothing.
void World::Play::report_idle_network_rules() {
  for (const NetworkRule& rule : network_rules_) {
    if (rule.struck > 0) continue;
    record_.pending.push_back(fmt::format("{}: request {} never came", describe(rule.fault), rule.fault.request));
  }
}

}  // namespace pod
