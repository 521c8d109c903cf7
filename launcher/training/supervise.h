// Runs one program under supervision: the training, or a setup step.
//
// It lives in a process group of its own, and prints to a terminal where we do. Signals that we get are forwarded at
// once; a stop signal also starts its grace, and when that is over everything below us is killed, daemonised
// grandchildren included. Output passes through us, each byte as it comes. The attempt ends with the program itself:
// what it leaves behind is ended too, and a pipe that somebody still holds open is not waited for.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/wait_status.h"
#include "launcher/base/process.h"
#include "launcher/base/waiter.h"

namespace training {

struct Supervision {
  base::Program program;
  std::function<std::vector<pid_t>()> spared;  // children of ours that are not the program's, as of now
  base::Milliseconds grace{10'000};            // from a stop signal to SIGKILL
  std::optional<base::Seconds> silence_max;    // no output for so long: ask `still_alive`
  base::Seconds tick{60};

  // The program is ended at this moment, asked for anew whenever the descriptor can be read. Unset: never.
  std::function<base::TimePoint()> lawful_until;
  std::function<int()> lease_descriptor;

  std::function<void(std::string_view)> on_output;  // every byte, both streams
  std::function<void(std::string_view)> on_line;
  std::function<bool()> on_tick;  // false: end the program now
  std::function<void()> on_stop;  // a stop signal came and was forwarded; the program may still save
  std::function<void(int signal, pid_t group)> on_pause;  // it was stopped by this signal, and nobody continues it
  std::function<bool()> still_alive;                      // after silence; false: it has stalled
};

struct Ended {
  base::WaitStatus status;
  int stop_signal = 0;            // the program was ended because we were told to stop
  bool stalled = false;           // it was ended because it made no sign of life
  bool lease_lost = false;        // it was ended because the run may be somebody else's by now
  bool cut_off = false;           // it was ended because on_tick said so
  std::size_t dropped_bytes = 0;  // of output that nobody read
  base::Seconds lasted{0};
};

// Errors: the program could not be started (no process, no pipe).
base::Result<Ended> supervise(base::Waiter& waiter, const Supervision& supervision);

}  // namespace training
