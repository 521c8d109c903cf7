// What an attempt or a setup step failed of: the first root error in its output, and what kind of cause that is.
//
// The last line of a log is often the least telling: a launcher's summary, another rank's broken pipe. What counts is
// the first traceback's exception or the first CUDA, NCCL or out-of-memory message. Numbers, times, paths and quoted
// names differ from attempt to attempt and are normalised, so that the same cause has the same fingerprint.
#pragma once

#include <string>
#include <string_view>

#include "base/wait_status.h"
#include "launcher/policy/policy.h"

namespace training {

// Watches a program's lines for the root error.
class RootError {
 public:
  void see(std::string_view line);
  // Empty when nothing in the output looked like an error.
  std::string_view text() const { return strong_.empty() ? weak_ : strong_; }

 private:
  bool in_traceback_ = false;
  std::string strong_;  // an exception, a CUDA, NCCL or memory error: the first one
  std::string weak_;    // "error: …", "fatal: …": the first one
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

// Out-of-memory kills in this container so far, as its cgroup (v2 or v1) counts them; 0 where it cannot be read.
long out_of_memory_kills();

}  // namespace training
