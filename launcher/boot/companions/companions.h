// What runs beside everything else: sshd, Jupyter, whatever lets a person in, also while the run is held.
//
// A process of our own watches over them, so that what they turn into daemons ends up below it and not below PID 1: the
// end of an attempt ends everything below us but what is spared, and one spared process covers them all. It lives until
// its pipe from us is closed, which also happens when we are killed; signals from neighbours do not end it, and it is
// replaced when somebody kills it. Companions write where we write; nothing reads along, and nothing about the run
// depends on them.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "launcher/base/waiter.h"
#include "launcher/config/config.h"

namespace boot {

class Companions {
 public:
  // Up from now on: those of --alongside, else the image's own start script where we stand in its place as PID 1.
  void begin(const config::Config& config, bool first_process, base::Waiter& waiter);
  // Replaces the watching process if it has been killed, a bounded number of times.
  void tend(base::Waiter& waiter);
  // Ends them all. Returns when they have ended, or after this long: then they are left to the kernel.
  void close(base::Waiter& waiter, base::Milliseconds patience);

  pid_t process() const { return process_; }  // 0: none

 private:
  void start(base::Waiter& waiter);

  std::vector<std::string> commands_;
  pid_t process_ = 0;
  base::UniqueFd alive_;  // closing it asks the watching process to end
  int starts_left_ = 20;
};

// Set for companions: podlaunch itself, started by one, would wait for its own parent.
inline constexpr const char* kCompanionVariable = "PODLAUNCH_COMPANION";

}  // namespace boot
