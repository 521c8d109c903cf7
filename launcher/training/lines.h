#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace training {

// Cuts a stream into lines. A carriage return ends a line as well: progress bars use nothing else.
class Lines {
 public:
  using Take = std::function<void(std::string_view)>;

  void feed(std::string_view bytes, const Take& take);
  // What came after the last line end, at the end of the stream.
  void finish(const Take& take);

  // Longer lines are seen in part: no pattern needs more, and matching is linear in memory.
  static constexpr std::size_t length_max = 4096;

 private:
  std::string line_;
};

}  // namespace training
