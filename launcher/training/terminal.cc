#include "launcher/training/terminal.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

namespace training {

using base::UniqueFd;

bool copy_size(int from_terminal, int to_terminal) {
  winsize size{}, now{};
  if (::ioctl(from_terminal, TIOCGWINSZ, &size) != 0 || ::ioctl(to_terminal, TIOCGWINSZ, &now) != 0) return false;
  if (size.ws_row == now.ws_row && size.ws_col == now.ws_col) return false;
  return ::ioctl(to_terminal, TIOCSWINSZ, &size) == 0;
}

std::optional<PseudoTerminal> terminal_like(int descriptor) {
  if (::isatty(descriptor) == 0) return std::nullopt;
  PseudoTerminal made;
  made.ours.reset(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
  if (!made.ours.valid() || ::grantpt(made.ours.get()) != 0 || ::unlockpt(made.ours.get()) != 0) return std::nullopt;
  made.programs.reset(::ioctl(made.ours.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  termios settings{};
  if (!made.programs.valid() || ::tcgetattr(descriptor, &settings) != 0) return std::nullopt;
  // Line ends are made into what a terminal wants by the real one.
  settings.c_oflag &= ~static_cast<tcflag_t>(OPOST);
  settings.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  if (::tcsetattr(made.programs.get(), TCSANOW, &settings) != 0) return std::nullopt;
  (void)copy_size(descriptor, made.ours.get());
  return made;
}

Foreground::Foreground() {
  const bool leads = ::getsid(0) == ::getpid();
  if (leads && ::isatty(STDIN_FILENO) != 0 && ::tcgetpgrp(STDIN_FILENO) == ::getpgrp()) terminal_ = STDIN_FILENO;
  termios settings{};
  if (terminal_ >= 0 && ::tcgetattr(terminal_, &settings) == 0) settings_ = settings;
}

void Foreground::take_back() {
  if (terminal_ < 0) return;
  // A group in the background that reaches for the foreground would be stopped.
  sigset_t background, before;
  ::sigemptyset(&background);
  ::sigaddset(&background, SIGTTOU);
  ::sigprocmask(SIG_BLOCK, &background, &before);
  (void)::tcsetpgrp(terminal_, ::getpgrp());
  if (settings_) (void)::tcsetattr(terminal_, TCSANOW, &*settings_);
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  terminal_ = -1;
}

}  // namespace training
