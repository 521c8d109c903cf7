#include "harness/pod/world/network_rules.h"

#include <fmt/format.h>

#include <sstream>

namespace pod {

bool NetworkRule::over(Duration now) const {
  return (until != Duration::zero() && now >= until) || (fault.times > 0 && struck >= fault.times);
}

bool NetworkRule::strike(Duration now) {
  if (over(now) || ++seen < fault.request) return false;
  ++struck;
  return true;
}

std::string encode(const NetworkRule& rule) {
  const scenario::NetworkFault& fault = rule.fault;
  return fmt::format("{} {} {} {} {} {} {} {} {} {} {}", rule.id, fault.fault, fault.service, fault.request,
                     fault.times, rule.until.count(), fault.after_bytes, fault.after_percent, fault.bytes_per_second,
                     rule.seen, rule.struck);
}

std::optional<NetworkRule> decode_network_rule(const std::string& line) {
  NetworkRule rule;
  scenario::NetworkFault& fault = rule.fault;
  Duration::rep until = 0;
  std::istringstream words(line);
  words >> rule.id >> fault.fault >> fault.service >> fault.request >> fault.times >> until >> fault.after_bytes >>
      fault.after_percent >> fault.bytes_per_second >> rule.seen >> rule.struck;
  if (!words) return std::nullopt;
  rule.until = Duration(until);
  return rule;
}

std::string spoilt_line(const NetworkRule& rule, const std::string& request) {
  return fmt::format("spoilt by {} {}: {}\n", rule.id, rule.fault.fault, request);
}

}  // namespace pod
