// Terminals. A program that prints to one shows colours and progress bars, and buffers by the line; one that prints to
// a pipe does not. Where our output is a terminal the program gets a terminal, too: one of its own, since what it
// prints has to pass through us.
#pragma once

#include <sys/types.h>
#include <termios.h>

#include <optional>

#include "base/unique_fd.h"

namespace training {

struct PseudoTerminal {
  base::UniqueFd ours;
  base::UniqueFd programs;
};

// As large as the terminal behind `descriptor`, and passing on each byte as it is. Nothing when `descriptor` is no
// terminal, or when there is none to be had.
std::optional<PseudoTerminal> terminal_like(int descriptor);

// True when they were of different sizes.
bool copy_size(int from_terminal, int to_terminal);

// The terminal at our stdin lets only its foreground group read, and sends it what the keys say. While a program has
// been lent the foreground, Ctrl-C ends the program and not us.
class Foreground {
 public:
  Foreground();
  Foreground(const Foreground&) = delete;
  Foreground& operator=(const Foreground&) = delete;
  ~Foreground() { take_back(); }

  // Ours to lend: we lead the session, as the first process of `docker run -it` does.
  bool ours() const { return terminal_ >= 0; }
  // With the settings that it was lent with: a program that is killed leaves its own behind.
  void take_back();

 private:
  int terminal_ = -1;
  std::optional<termios> settings_;
};

}  // namespace training
