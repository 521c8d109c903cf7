// Which requests a fault of the network strikes. Pure: one rule for each fault that the timeline began, counted by
// whoever sees the requests. Connections and names are counted by the world itself, answers by the fault proxy in front
// of a service (harness/services/network), which reads its rules from a file and tells the world of each request, so
// that the world's counts are the same.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "harness/scenario/scenario.h"

namespace pod {

using scenario::Duration;

struct NetworkRule {
  int id = 0;  // unique within the world
  scenario::NetworkFault fault;
  Duration until{0};  // on the clock of whoever counts; zero: for good
  int seen = 0;
  int struck = 0;

  bool over(Duration now) const;
  // Counts one request. True: it is struck.
  bool strike(Duration now);
};

// Counts the request against every rule that `concerns` it. The first that strikes; null: none.
template <class Concerns>
NetworkRule* strike(std::vector<NetworkRule>& rules, Duration now, Concerns concerns) {
  NetworkRule* striking = nullptr;
  for (NetworkRule& rule : rules) {
    if (concerns(rule.fault) && rule.strike(now) && striking == nullptr) striking = &rule;
  }
  return striking;
}

// As a line of the proxy's file, without a line's end, and back. Nothing: not such a line.
std::string encode(const NetworkRule& rule);
std::optional<NetworkRule> decode_network_rule(const std::string& line);

// The line that a proxy writes into the log of answers for a request that it has spoilt.
std::string spoilt_line(const NetworkRule& rule, const std::string& request);

}  // namespace pod
