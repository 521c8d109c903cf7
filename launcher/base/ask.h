// Questions to programs that may never answer: children with a deadline.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/wait_status.h"
#include "launcher/base/process.h"
#include "launcher/base/time.h"
#include "launcher/base/waiter.h"

namespace base {

struct Answer {
  enum class State {
    kEnded,
    kSilent,       // it had not ended at the deadline, and was killed
    kInterrupted,  // a stop signal came first
    kNotStarted,
  };
  State state = State::kNotStarted;
  WaitStatus status;   // for kEnded
  std::string output;  // both streams, at most 64 KiB of them
  pid_t stuck = 0;     // for kSilent: not even SIGKILL has ended it so far

  bool good() const { return state == State::kEnded && status.success(); }
  // Its last line that says anything, for people.
  std::string last_line() const;
};

// All at once, each in a process group of its own, which ends with its answer. A child that sits in the kernel and does
// not die is left behind, to be reaped whenever it does.
std::vector<Answer> ask_all(const std::vector<Program>& programs, Waiter& waiter, Milliseconds deadline);
Answer ask(const Program& program, Waiter& waiter, Milliseconds deadline);

}  // namespace base
