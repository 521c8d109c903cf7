#pragma once

#include <sys/wait.h>

#include <string>

namespace base {

// A wait status, decoded once.
struct WaitStatus {
  enum class Kind { kExited, kSignaled };
  Kind kind = Kind::kExited;
  int value = 0;  // exit code, or signal number
  bool operator==(const WaitStatus&) const = default;

  // `raw` must come from a wait that reported an end: WIFEXITED or WIFSIGNALED.
  static WaitStatus from_raw(int raw) {
    if (WIFSIGNALED(raw)) return {Kind::kSignaled, WTERMSIG(raw)};
    return {Kind::kExited, WEXITSTATUS(raw)};
  }
  bool success() const { return kind == Kind::kExited && value == 0; }
  // The shell's convention: 128+N for a death by signal N.
  int shell_code() const { return kind == Kind::kExited ? value : 128 + value; }
  std::string describe() const { return (kind == Kind::kExited ? "exit " : "signal ") + std::to_string(value); }
};

}  // namespace base
