// The pieces that scenarios are written from.
#pragma once

#include <yaml-cpp/yaml.h>

#include <string>
#include <vector>

#include "harness/scenario/scenario.h"

namespace scenario {

// Text that stays text when it is read, also where it looks like a number.
YAML::Node text_node(const std::string& text);
YAML::Node text_list(const std::vector<std::string>& texts);
std::string duration_text(Duration duration);

// write_timeline.cc
YAML::Node moment_node(const Moment& moment);
YAML::Node action_node(const Action& action);

}  // namespace scenario
