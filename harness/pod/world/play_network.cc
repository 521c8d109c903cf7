// What the network does to the pod. The whole of it can be down; or one service refuses connections or has a name that
// nobody knows, which the world itself answers; or a service answers wrongly, which the proxy in front of it does.
#include <fmt/format.h>

#include <cerrno>
#include <fstream>
#include <sstream>

#include "base/check.h"
#include "harness/pod/virtual_time.h"
#include "harness/pod/world/play.h"

namespace pod {

static bool lasts_for_good(const scenario::NetworkFault& fault) {
  return fault.times == 0 && fault.lasting == Duration::zero();
}

// Connections and names have no bytes that a proxy could spoil.
static bool is_answered_by_the_world(const scenario::NetworkFault& fault) {
  return fault.service == "pip" || fault.fault == "refuse" || fault.fault == "dns-failure";
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
  if (is_answered_by_the_world(action)) return;
  // The proxy reads the monotonic clock.
  if (rule.until != Duration::zero()) rule.until += Duration(clock_.monotonic() - clock_.now());
  const auto file = materials_.network_rules.find(action.service);
  CHECK(file != materials_.network_rules.end());  // whoever built the world put a proxy there
  std::ofstream(file->second, std::ios::app) << encode(rule) << "\n";
}

// Counts a request that the world itself would answer. True: it is struck.
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
  const bool refused = strikes([&](const scenario::NetworkFault& fault) {
    const auto port = materials_.service_ports.find(fault.service);
    return fault.fault == "refuse" && port != materials_.service_ports.end() && port->second == peer.port;
  });
  return refused ? ECONNREFUSED : 0;
}

// The pod's disks are made of tmpfs; programs that ask the mount table what will survive must hear what is played. A
// name that is not to be found is sought in an empty table.
std::string World::Play::instead_of(const std::string& path) {
  if (path == "/etc/hosts") {
    const bool unknown = strikes(
        [](const scenario::NetworkFault& fault) { return fault.fault == "dns-failure" && fault.service != "pip"; });
    return unknown ? "/dev/null" : "";
  }
  if (!path.starts_with("/proc/")) return {};
  if (path.ends_with("/mountinfo")) return kMountinfoFile;
  return path.ends_with("/mounts") ? kMountsFile : "";
}

// pip asks whether something is wrong, and then, name by name, what it is.
int World::Play::pip_mark(const std::string& what) {
  if (what != "pip") return what == "pip-fault/" + struck_fault_ ? 0 : ENOENT;
  count_start("pip install");
  if (strikes([](const scenario::NetworkFault& fault) { return fault.service == "pip"; })) return 0;
  if (pip_failures_left_ == 0) return ENOENT;
  if (pip_failures_left_ > 0) --pip_failures_left_;
  struck_fault_ = "refuse";
  return 0;
}

// Learns from the log of answers which requests a proxy has spoilt. True: one that says nothing about later ones.
bool World::Play::take_spoilt_answers(const std::vector<std::string>& answers) {
  bool passing = false;
  for (const std::string& answer : answers) {
    const auto id = rule_of_spoilt_line(answer);
    if (!id || *id >= static_cast<int>(network_rules_.size())) continue;
    NetworkRule& rule = network_rules_[static_cast<std::size_t>(*id)];
    ++rule.struck;
    passing = passing || !lasts_for_good(rule.fault);
  }
  return passing;
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
