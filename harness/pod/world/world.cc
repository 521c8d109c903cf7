#include "harness/pod/world/world.h"

#include "harness/pod/world/play.h"

namespace pod {

World::World(const scenario::Scenario& scenario, Materials materials)
    : play_(std::make_unique<Play>(scenario, std::move(materials))) {}

World::~World() = default;

base::Result<WorldRecord> World::play() {
  return play_->run();
}

base::Result<WorldRecord> World::branch(Branch branch) {
  return play_->branch(std::move(branch));
}

base::Result<UnstagedBoot> World::launch_unstaged(Branch branch) {
  return play_->launch_unstaged(std::move(branch));
}

const Disks& World::disks() const {
  return play_->disks();
}

std::string World::moment() const {
  return play_->moment();
}

Duration World::now() const {
  return play_->now();
}

void World::note(const std::string& text, bool healed) {
  play_->note_fault(text, healed);
}

void World::at(Duration when, std::function<void()> action) {
  play_->at(when, std::move(action));
}

void World::kill_boot(const std::string& why) {
  play_->kill_boot(why);
}

}  // namespace pod
