#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"
#include "launcher/base/redaction.h"

namespace training {

// The training's output on disk: train.log and its predecessors train.log.1 …, together at most `files_max` times
// `bytes_max`. Secrets are taken out line by line before anything is written.
class KeptLog {
 public:
  KeptLog(std::filesystem::path folder, const base::Redactor& redactor)
      : folder_(std::move(folder)), redactor_(redactor) {}

  void write(std::string_view bytes);
  // A line of our own, at the beginning of a line, between what was printed before and what comes now. Each further
  // file begins with it as well, so that what comes is known to belong to it.
  void mark(std::string_view what);
  // Writes a last line that has no end yet, and its end.
  void finish();

  static constexpr std::string_view mark_begin = "--- podlaunch: ";

  static constexpr std::size_t bytes_max = 16U << 20;
  static constexpr int files_max = 4;

 private:
  void put(std::string_view text);
  void append(std::string_view text);
  bool open();
  bool let_go_of_deleted();
  void rotate();

  std::filesystem::path folder_;
  const base::Redactor& redactor_;
  base::UniqueFd file_;
  std::size_t size_bytes_ = 0;
  bool line_is_open_ = false;  // in the file
  std::string line_;
  std::string mark_;
};

}  // namespace training
