// Records as lines of text, and back. A line is {"crc":"xxxxxxxx","record":BODY} where the CRC-32 covers BODY's bytes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "launcher/ledger/ledger.h"

namespace ledger {

// Records of this version are understood. Within a version, kinds and fields are only ever added: a reader keeps and
// skips a kind that it does not know and ignores a field that it does not know. Anything else raises the number, and an
// older reader then refuses the ledger instead of misunderstanding it.
inline constexpr int format_version = 1;

// What a line turned out to be.
struct Line {
  enum class Kind {
    kRecord,   // `record`
    kSummary,  // `memory` replaces everything before it
    kUnknown,  // intact, of a kind that this version does not know: kept, skipped
    kNewer,    // intact, of a version that this one does not understand
    kDamaged,
  };
  Kind kind = Kind::kDamaged;
  std::uint64_t number = 0;
  Record record;
  Memory memory;
};

std::string to_line(const Record& record);                               // with the newline
std::string to_line(const Memory& memory, std::uint64_t newest_number);  // a summary, with the newline
Line parse_line(std::string_view line);                                  // without the newline

// Whether these bytes may be the beginning of a line that was not written to its end.
bool begins_like_a_line(std::string_view bytes);

}  // namespace ledger
