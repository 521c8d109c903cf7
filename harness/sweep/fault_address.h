// How a fault point is found again in another play of the same scenario: by the program that makes the call, the call,
// and the name that it changes, each time it does so. Names that are drawn at random, and numbers, are made equal
// first, so an address says nothing of process ids, times or temporary names.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "harness/pod/disks.h"
#include "harness/stage/fault_point.h"

namespace sweep {

struct Address {
  int boot = 1;
  std::string process;  // programs from the pod's first process down to it: "podlaunch/bash/python3"
  std::string syscall;
  std::string path;    // normalised
  int occurrence = 1;  // of these, within the boot
  auto operator<=>(const Address&) const = default;

  std::string text() const;
};

std::string without_random_names(const std::string& path);

// Tells fault points from other calls, and counts them.
class PointFinder {
 public:
  explicit PointFinder(const pod::Disks& disks) : disks_(disks) {}

  void boot_begins(int boot);
  // Nothing: the call changes no disk, or is about to fail by itself.
  std::optional<Address> find(const stage::Change& change);
  // Whether the call touches a disk of the world at all.
  bool on_disk(const stage::Change& change) const;

 private:
  const pod::Disks& disks_;
  int boot_ = 0;
  std::map<std::string, int> occurrences_;
};

}  // namespace sweep
