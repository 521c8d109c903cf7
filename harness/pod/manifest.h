// What lies on the pod's disks at one moment, so that two moments can be compared.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "harness/pod/disks.h"

namespace pod {

struct Entry {
  unsigned type_and_mode = 0;
  std::uint64_t size = 0;
  std::uint64_t content = 0;  // hash of a file's bytes or of a link's target
  bool operator==(const Entry&) const = default;
};

// By the pod's paths. Times and inode numbers are left out: they change when nothing else does.
using Manifest = std::map<std::string, Entry>;

// Remembers the hashes of files whose inode, size and change time are the same.
class ManifestReader {
 public:
  Manifest read(const Disks& disks);

 private:
  struct Known {
    std::uint64_t size = 0;
    std::int64_t changed = 0;
    std::uint64_t content = 0;
  };
  void add_folder(Manifest& manifest, const std::string& host, const std::string& inside,
                  std::set<std::string>& skipped);
  std::map<std::pair<std::uint64_t, std::uint64_t>, Known> known_;  // by device and inode
};

struct Difference {
  std::set<std::string> changed;
  std::set<std::string> listing_changed;
};

Difference compare(const Manifest& before, const Manifest& after);

}  // namespace pod
