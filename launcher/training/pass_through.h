#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/unique_fd.h"
#include "launcher/base/time.h"

namespace training {

// Hands the training's output on to our own stdout or stderr, unbuffered, without ever blocking on it. What nobody
// reads is kept back up to `backlog_bytes_max`; after that the training is slowed down for `patience`, and then
// output is dropped, counted and reported: supervision goes on.
class PassThrough {
 public:
  explicit PassThrough(int descriptor);

  void write(std::string_view bytes);
  // When the descriptor is writable.
  void flush();

  bool waits_for_room() const { return !closed_ && !backlog_.empty(); }
  bool full() const { return backlog_.size() >= backlog_bytes_max && !impatient(); }
  int descriptor() const { return descriptor_; }
  std::size_t dropped_bytes() const { return dropped_bytes_; }

  static constexpr std::size_t backlog_bytes_max = 256 * 1024;
  static constexpr base::Seconds patience{5};

 private:
  bool impatient() const { return base::Clock::now() - last_written_ > patience; }
  std::size_t write_some(std::string_view bytes);

  int descriptor_;
  base::UniqueFd own_;  // a second opening of the same pipe or terminal, so that not blocking is ours alone
  bool may_block_ = false;
  bool closed_ = false;
  std::string backlog_;
  std::size_t dropped_bytes_ = 0;
  base::TimePoint last_written_ = base::Clock::now();
};

}  // namespace training
