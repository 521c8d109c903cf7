#include "harness/sweep/injector.h"

#include <fmt/format.h>

#include <algorithm>

namespace sweep {

Injector::Injector(pod::World& world, Fault fault, int boot)
    : world_(world), fault_(std::move(fault)), boot_of_fault_(boot) {}

void Injector::boot_begins(int boot) {
  if (!finder_) finder_.emplace(world_.disks());
  finder_->boot_begins(boot);
  boot_ = boot;
  if (first_boot_ == 0) first_boot_ = boot;
  points_in_boot_ = 0;
}

void Injector::boot_ended(int boot) {
  if (boot == boot_of_fault_ && lasts()) {
    healed_ = true;
    world_.note("the error is healed", /*healed=*/true);
  }
}

bool Injector::lasts() const {
  return fault_.persistent && broken_ > 0 && !healed_;
}

static std::string disk_of(const pod::World& world, const std::string& path) {
  std::string longest = "/";
  for (const auto& volume : world.disks().volumes()) {
    if (path.starts_with(volume.mount_path + "/") && volume.mount_path.size() > longest.size())
      longest = volume.mount_path;
  }
  return longest;
}

stage::Order Injector::changing(const stage::Change& change) {
  if (!finder_) return stage::GoUnwatched{};
  const auto address = finder_->find(change);
  if (!address) return stage::GoUnwatched{};
  ++points_in_boot_;
  if (boot_ == first_boot_) points_of_first_boot_ = points_in_boot_;
  if (fault_.kind == Kind::kDouble) {
    if (broken_ > 0 || boot_ != first_boot_ || points_in_boot_ != fault_.second) return stage::GoUnwatched{};
    ++broken_;
    world_.kill_boot(fmt::format("killed again before {}", address->text()));
    return stage::Killed{};
  }
  if (broken_ == 0 && *address == fault_.point) {
    disk_ = disk_of(world_, change.path);
    return breaks(change);
  }
  const bool network = world_.disks().kind_of(change.path) == scenario::DiskKind::kNetworkVolume;
  if (!lasts() || disk_of(world_, change.path) != disk_ || !can_return(change.syscall.number, fault_.error, network))
    return stage::GoUnwatched{};
  return breaks(change);
}

stage::Order Injector::breaks(const stage::Change& change) {
  if (++broken_ == 1) {
    world_.note(fault_.text(), /*healed=*/false);
    if (fault_.persistent) {
      world_.at(world_.now() + std::chrono::seconds(kPersistentSeconds), [this] {
        if (healed_) return;
        healed_ = true;
        world_.note("the error is healed", /*healed=*/true);
      });
    }
  }
  if (fault_.kind == Kind::kShortWrite)
    return stage::Shorten{std::max<std::uint64_t>(1, stage::argument(change.entry, 2) / 2)};
  return stage::FailWith{fault_.error};
}

}  // namespace sweep
