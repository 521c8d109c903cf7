#include "harness/pod/world.h"

#include "harness/pod/play.h"

namespace pod {

World::World(const scenario::Scenario& scenario, Materials materials)
    : play_(std::make_unique<Play>(scenario, std::move(materials))) {}

World::~World() = default;

base::Result<WorldRecord> World::play() {
  return play_->run();
}

}  // namespace pod
