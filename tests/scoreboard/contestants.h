#pragma once

#include <string>
#include <vector>

#include "../launcher/checkout_world.h"

namespace scoreboard {

struct Contestant {
  std::string name;
  std::string what;  // a line for the page
};
const std::vector<Contestant>& contestants();

// One start of the container: the contestant's start command runs to its end on this world's disk. True: the training
// ran.
bool boot(const Contestant& contestant, const checkout::World& world);

}  // namespace scoreboard
