#include "harness/sweep/network_plan.h"

#include <algorithm>

#include "harness/scenario/names.h"

namespace sweep {

void NetworkPoints::boot_begins(int boot, scenario::Duration now) {
  boot_ = boot;
  boot_began_ = now;
}

void NetworkPoints::add(const pod::NetworkUse& use, scenario::Duration now) {
  points_.push_back({{boot_, use.service, std::string(name(use.way)), use.text, use.number}, use, now - boot_began_});
}

namespace {

bool has_place(const NetworkFault& fault) {
  return way_of(fault) == scenario::NetworkWay::kPack || fault.fault == "reset" || fault.fault == "stall";
}

// From the first byte to shortly before the last.
std::vector<int> percents(const NetworkFault& fault, int places) {
  if (way_of(fault) == scenario::NetworkWay::kCall || !has_place(fault)) return {0};
  std::vector<int> result;
  for (int i = 0; i < places; ++i) result.push_back(places == 1 ? 50 : 99 * i / (places - 1));
  return result;
}

}  // namespace

scenario::Scenario expected_with(const Fault& fault, scenario::Scenario scenario) {
  if (fault.kind == Kind::kErrno && fault.persistent) scenario.expect.log.clear();
  if (fault.kind != Kind::kNetwork) return scenario;
  const std::string& what = fault.network.fault;
  const bool says_no = what == "http-401" || what == "http-403" || what == "http-404" || what == "redirect-loop";
  if (says_no || fault.network.times == 0) scenario.expect.log.clear();
  scenario.expect.billed_hours.reset();
  // An answer that never came leaves open whether it was understood; asking the other API is right, and it says yes
  // again.
  if (fault.network.service == "provider") scenario.expect.stop_calls.reset();
  return scenario;
}

std::vector<Fault> network_faults(const NetworkPoint& point, int places) {
  constexpr std::uint64_t kSlowBytesPerSecond = 200;
  std::vector<Fault> result;
  for (const std::string& name : scenario::network_fault_names()) {
    Fault fault;
    fault.kind = Kind::kNetwork;
    fault.point = point.address;
    // A name's look-up does not tell which service it is for.
    const bool names = point.use.way == scenario::NetworkWay::kLookUp;
    fault.network = {.fault = name, .service = names ? "git" : point.use.service, .request = point.use.number};
    fault.network.bytes_per_second = kSlowBytesPerSecond;
    if (way_of(fault.network) != point.use.way) continue;
    for (const int percent : percents(fault.network, places)) {
      fault.network.after_percent = percent;
      for (const bool lasts : {false, true}) {
        fault.network.times = lasts ? 0 : 1;
        fault.network.lasting =
            lasts ? point.since_boot + std::chrono::seconds(kPersistentSeconds) : scenario::Duration(0);
        result.push_back(fault);
      }
    }
  }
  return result;
}

}  // namespace sweep
