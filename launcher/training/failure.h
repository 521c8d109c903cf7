// What an attempt or a setup step failed of: the first root error in its output, and what kind of cause that is.
//
// The last line of a log is often the least telling: a launcher's summary, another rank's broken pipe. What counts is
// the first traceback's exception or the first CUDA, NCCL or out-of-memory message. Numbers, times, paths and quoted
// names differ from attempt to attempt and are normalised, so that the same cause has the same fingerprint.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/wait_status.h"
#include "launcher/policy/policy.h"

namespace training {

// Watches a program's lines for the root error (root_error.cc).
class RootError {
 public:
  void see(std::string_view line);
  // Empty when nothing in the output looked like an error.
  std::string_view text() const;

 private:
  // From what tells most to what tells least.
  enum class Weight { kRoot, kConsequence, kMention };
  struct Found {
    std::string text;
    int rank;
  };

  void take(Weight weight, std::string_view text, int rank);
  void see_summary(std::string_view line);
  void grow_stale();

  std::map<Weight, std::vector<Found>> found_;
  std::set<int> in_traceback_;      // ranks; their lines come interleaved
  std::optional<int> blamed_rank_;  // the launcher's own summary says which failed first
  bool next_traceback_is_harmless_ = false;
  bool in_summary_ = false;
  int calm_lines_ = 0;
};

std::string normalise(std::string_view error);

struct Failure {
  policy::Cause cause = policy::Cause::kUnknown;
  std::string text;       // for people: "exit 1: RuntimeError: CUDA out of memory …"
  std::string signature;  // what the fingerprint is made of: status and normalised error
};

// `killed_for_memory`: the kernel's counter of out-of-memory kills in this container grew meanwhile.
Failure describe_failure(base::WaitStatus status, std::string_view root_error, bool killed_for_memory);

// Could a damaged checkpoint have caused this? A program that cannot be found or imported has read none.
bool may_blame_checkpoint(const Failure& failure);

// In the content of a cgroup's memory.events (v2) or memory.oom_control (v1).
long out_of_memory_kills_in(const std::string& content);

// Out-of-memory kills in this container so far, as its cgroup (v2 or v1) counts them; 0 where it cannot be read.
long out_of_memory_kills();

}  // namespace training
