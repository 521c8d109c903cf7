#include "harness/sweep/plan.h"

#include <algorithm>
#include <random>
#include <regex>

namespace sweep {

bool Plan::has(const Address& point) const {
  return options_.shard.has(digest_of(point.text()));
}

bool Plan::is_new(std::uint64_t image, const std::string& moment) {
  return seen_.insert(mix(image, digest_of(moment))).second;
}

void Plan::add(PlannedWorld world, bool fresh) {
  Tally& tally = tallies_[world.tally];
  ++tally.faults;
  faults_.emplace_back(world.fault.point, world.tally);
  if (!fresh) return;
  ++tally.planned;
  worlds_.push_back(std::move(world));
}

void Plan::add_errors(const Recorder& recorder, const std::map<int, std::size_t>& zygote_of_boot,
                      const pod::Disks& disks) {
  for (std::size_t index = 0; index < recorder.points().size(); ++index) {
    const Point& point = recorder.points()[index];
    if (point.failed || !point.done || !has(point.address)) continue;
    PlannedWorld world;
    world.zygote = zygote_of_boot.at(point.address.boot);
    world.point = index;
    world.fault.point = point.address;
    if (options_.kinds.contains(Kind::kShortWrite) && point.bytes > 1) {
      world.fault.kind = Kind::kShortWrite;
      world.tally = name(Kind::kShortWrite);
      add(world, /*fresh=*/true);
    }
    if (!options_.kinds.contains(Kind::kErrno)) continue;
    world.fault.kind = Kind::kErrno;
    const bool network = disks.kind_of(point.disk) == scenario::DiskKind::kNetworkVolume;
    for (const int error : errors_of(point.syscall, network)) {
      world.fault.error = error;
      for (const bool persistent : {false, true}) {
        if (persistent && !can_last(error)) continue;
        world.fault.persistent = persistent;
        world.tally = persistent ? "errno, lasting" : "errno, once";
        add(world, /*fresh=*/true);
      }
    }
  }
}

// Their points are numbered after those of the disks.
void Plan::add_network(const std::vector<NetworkPoint>& points, const std::map<int, std::size_t>& zygote_of_boot,
                       std::size_t first_index) {
  for (std::size_t index = 0; index < points.size(); ++index) {
    if (!has(points[index].address)) continue;
    for (const Fault& fault : network_faults(points[index], options_.places)) {
      add({fault, zygote_of_boot.at(points[index].address.boot), "network, " + fault.network.fault,
           first_index + index},
          /*fresh=*/true);
    }
  }
}

void Plan::add_doubles(std::size_t points_in_a_boot) {
  std::vector<PlannedWorld> kills;
  std::ranges::copy_if(worlds_, std::back_inserter(kills),
                       [](const PlannedWorld& world) { return world.fault.kind == Kind::kKill; });
  std::mt19937_64 random(mix(options_.seed, 0x2d));
  std::shuffle(kills.begin(), kills.end(), random);
  const std::size_t most = options_.doubles ? options_.shard.share_of(*options_.doubles) : kills.size();
  if (kills.size() > most) kills.resize(most);
  for (PlannedWorld& world : kills) {
    world.fault.kind = Kind::kDouble;
    world.fault.second = 1 + static_cast<int>(random() % std::max<std::size_t>(1, points_in_a_boot));
    world.tally = name(Kind::kDouble);
    add(std::move(world), /*fresh=*/true);
  }
}

void Plan::choose(const std::vector<Address>& whole) {
  std::mt19937_64 random(mix(options_.seed, 0x5eed));
  // Of a number of points those whose lots, drawn from address and seed, are the lowest: every part draws the same.
  const auto lot = [&](const Address& point) { return mix(options_.seed, digest_of(point.text())); };
  std::optional<std::uint64_t> limit;
  if (options_.points && *options_.points < whole.size()) {
    std::vector<std::uint64_t> lots;
    for (const Address& point : whole) lots.push_back(lot(point));
    std::ranges::sort(lots);
    limit = lots[*options_.points];
  }
  const std::regex pattern(options_.at);
  const auto is_asked_for = [&](const Address& point) {
    return (!limit || lot(point) < *limit) && (options_.at.empty() || std::regex_search(point.text(), pattern));
  };
  std::erase_if(worlds_, [&](const PlannedWorld& world) { return !is_asked_for(world.fault.point); });
  for (auto& [name, tally] : tallies_) tally.faults = 0;
  for (const auto& [point, tally] : faults_) tallies_[tally].faults += is_asked_for(point) ? 1 : 0;
  // Where not everything will be played, what is played is spread over all of it.
  const std::size_t most = options_.worlds ? options_.shard.share_of(*options_.worlds) : worlds_.size();
  const bool partly = options_.budget_seconds > 0 || most < worlds_.size();
  if (partly) {
    std::map<std::string, std::vector<PlannedWorld>> by_tally;
    for (auto& world : worlds_) {
      const bool network = world.fault.kind == Kind::kNetwork;  // many tallies, of few worlds each
      by_tally[network ? std::string(name(Kind::kNetwork)) : world.tally].push_back(std::move(world));
    }
    const std::size_t count = worlds_.size();
    worlds_.clear();
    for (auto& [tally, worlds] : by_tally) std::shuffle(worlds.begin(), worlds.end(), random);
    while (worlds_.size() < count) {
      for (auto& [tally, worlds] : by_tally) {
        if (worlds.empty()) continue;
        worlds_.push_back(std::move(worlds.back()));
        worlds.pop_back();
      }
    }
    if (worlds_.size() > most) worlds_.resize(most);
  }
  for (auto& [name, tally] : tallies_) tally.planned = 0;
  for (const auto& world : worlds_) ++tallies_[world.tally].planned;
}

}  // namespace sweep
