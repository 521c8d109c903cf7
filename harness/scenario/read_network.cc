#include <fmt/format.h>

#include <charconv>

#include "harness/scenario/sections.h"

namespace scenario {

// What is written; what it means depends on which of the keys are there.
struct NetworkWords {
  std::string name;
  NetworkFault fault;
  std::optional<int> times;
  std::optional<Duration> lasting;
};

static const Names& names_of_network() {
  static const Names names = [] {
    Names all{"down"};
    all.insert(all.end(), network_fault_names().begin(), network_fault_names().end());
    return all;
  }();
  return names;
}

// "40%" of the answer, or a number of bytes.
static void read_position(Reader& reader, const YAML::Node& node, NetworkFault& fault) {
  const std::string text = reader.word(node);
  if (!text.ends_with('%')) {
    fault.after_bytes = reader.size(node);
    return;
  }
  const char* end = text.data() + text.size() - 1;
  const auto parsed = std::from_chars(text.data(), end, fault.after_percent);
  if (parsed.ec != std::errc() || parsed.ptr != end || fault.after_percent < 0 || fault.after_percent > 100) {
    reader.refuse(node, fmt::format("is {}, but must be 0% to 100% of the answer, or a number of bytes", text));
  }
}

const Section<NetworkWords>& network_section() {
  static const Section<NetworkWords> section{
      {"network",
       [](Reader& reader, const YAML::Node& node, NetworkWords& words) {
         words.name = reader.choice(node, names_of_network());
       },
       true},
      {"for",
       [](Reader& reader, const YAML::Node& node, NetworkWords& words) {
         const bool for_good = node.IsScalar() && node.Scalar() == "ever";
         words.lasting = for_good ? Duration(0) : reader.positive_duration(node);
       }},
      {"service", [](Reader& reader, const YAML::Node& node,
                     NetworkWords& words) { words.fault.service = reader.choice(node, network_service_names()); }},
      {"request", [](Reader& reader, const YAML::Node& node,
                     NetworkWords& words) { words.fault.request = reader.whole_number(node, 1); }},
      {"times",
       [](Reader& reader, const YAML::Node& node, NetworkWords& words) { words.times = reader.whole_number(node, 1); }},
      {"after",
       [](Reader& reader, const YAML::Node& node, NetworkWords& words) { read_position(reader, node, words.fault); }},
      {"rate",
       [](Reader& reader, const YAML::Node& node, NetworkWords& words) {
         words.fault.bytes_per_second = reader.size(node);
         if (words.fault.bytes_per_second == 0) reader.refuse(node, "is 0", "Use stall for that.");
       }},
  };
  return section;
}

static bool has_position(const std::string& fault) {
  return fault == "reset" || fault == "stall" || fault == "truncated-pack" || fault == "wrong-pack";
}

static void check(Reader& reader, const YAML::Node& node, const NetworkWords& words) {
  const auto given = [&](const char* key) { return node.IsMap() && node[key].IsDefined(); };
  if (words.name == "down") {
    if (!words.lasting) reader.refuse(node, "lacks the key \"for\"");
    for (const char* key : {"service", "request", "times", "after", "rate"}) {
      if (given(key)) {
        reader.refuse(node, fmt::format("has {}, but the whole network is down", key),
                      "That key belongs to the faults of one service.");
      }
    }
    return;
  }
  if (words.name.ends_with("-pack") && (words.fault.service == "provider" || words.fault.service == "notify")) {
    reader.refuse(node, fmt::format("has {}, but {} sends no packs", words.name, words.fault.service),
                  "Choose another fault, or git or pip.");
  } else if (given("after") && (!has_position(words.name) || words.fault.service == "pip")) {
    reader.refuse(node, "has after, but this fault has no place within an answer",
                  "Leave it out, or choose reset, stall, truncated-pack or wrong-pack of git.");
  } else if (given("rate") && words.name != "slow") {
    reader.refuse(node, "has rate, but is not slow");
  }
}

Action read_network(Reader& reader, const YAML::Node& node) {
  NetworkWords words;
  read_section(reader, node, network_section(), words);
  check(reader, node, words);
  if (words.name == "down") return NetworkDown{words.lasting.value_or(Duration(0))};
  NetworkFault fault = words.fault;
  fault.fault = words.name;
  fault.lasting = words.lasting.value_or(Duration(0));
  // A fault that says how long it lasts strikes everything meanwhile; one that says nothing strikes once.
  fault.times = words.times.value_or(words.lasting ? 0 : 1);
  return fault;
}

}  // namespace scenario
