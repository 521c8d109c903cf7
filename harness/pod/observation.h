// The read set of a boot: what it observed before it wrote it itself. See the essay in harness/oracle/never_loops.cc
// for what it proves.
#pragma once

#include <string>
#include <unordered_set>

#include "harness/pod/record.h"
#include "harness/stage/stage.h"

namespace pod {

class Observation {
 public:
  void note(const stage::PathUse& use);
  std::set<std::pair<std::string, ObservationKind>> take_read_set();

 private:
  void observe(const stage::PathUse& use, const std::string& path, ObservationKind kind);
  void note_open(const stage::PathUse& use);
  void note_change(const stage::PathUse& use);
  bool own(const std::string& path) const;

  std::set<std::pair<std::string, ObservationKind>> read_set_;
  std::unordered_set<std::string> written_;  // paths whose whole content or absence is this boot's doing
};

}  // namespace pod
