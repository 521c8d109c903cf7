// Which worlds a recorded play asks for.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "harness/sweep/network_plan.h"
#include "harness/sweep/session.h"
#include "harness/sweep/zygote.h"

namespace sweep {

struct PlannedWorld {
  Fault fault;  // the first that it stands for
  std::size_t zygote = 0;
  std::string tally;
  std::size_t point = 0;
};

// Grows while the play is recorded.
class Plan {
 public:
  explicit Plan(const Options& options) : options_(options) {}

  // Whether this machine's part of the sweep has the point. Told by its address alone, not by when it came: programs
  // that run side by side take turns as they like, in each recording anew.
  bool has(const Address& point) const;

  // The disks and all else at a moment, as a number. True when no world that begins there is planned yet.
  bool is_new(std::uint64_t image, const std::string& moment);
  void add(PlannedWorld world, bool fresh);
  // Worlds that replay the boots, once all points are known.
  void add_errors(const Recorder& recorder, const std::map<int, std::size_t>& zygote_of_boot, const pod::Disks& disks);
  void add_network(const std::vector<NetworkPoint>& points, const std::map<int, std::size_t>& zygote_of_boot,
                   std::size_t first_index);
  // Second kills: each draws one of the kill worlds.
  void add_doubles(std::size_t points_in_a_boot);
  // Leaves what the options ask for, and puts it into the order of playing. `whole`: all points, of whatever part.
  void choose(const std::vector<Address>& whole);

  const std::vector<PlannedWorld>& worlds() const { return worlds_; }
  std::map<std::string, Tally>& tallies() { return tallies_; }

 private:
  const Options& options_;
  std::set<std::uint64_t> seen_;
  std::vector<PlannedWorld> worlds_;
  std::vector<std::pair<Address, std::string>> faults_;  // all that was added, with their tallies
  std::map<std::string, Tally> tallies_;
};

}  // namespace sweep
