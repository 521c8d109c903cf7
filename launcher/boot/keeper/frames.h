// Messages between the launcher and its keeper, over a stream socket: a letter, a length, the bytes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace boot {

enum class FrameKind : char {
  kAppend = 'A',    // to the keeper: a ledger record
  kLog = 'L',       // to the keeper: the training's output
  kMark = 'M',      // to the keeper: a line that says what the output that follows is of
  kWatch = 'W',     // to the keeper: look for a request to resume from now on
  kIgnore = 'I',    // to the keeper: no longer
  kClose = 'C',     // to the keeper: hand everything back and end
  kOpened = 'o',    // from the keeper: what opening the run gave
  kAppended = 'a',  // from the keeper: empty, or the error
  kResume = 'r',    // from the keeper: somebody asked to resume
  kRenewed = 'n',   // from the keeper: when it began the renewal of the lease, in nanoseconds of the monotonic clock
  kFenced = 'f',    // from the keeper: who has taken the lease over; it writes nothing more
};

struct Frame {
  FrameKind kind = FrameKind::kLog;
  std::string payload;
};

void encode(FrameKind kind, std::string_view payload, std::string& onto);
// Takes one whole frame off the front, if there is one.
std::optional<Frame> decode(std::string& bytes);

}  // namespace boot
