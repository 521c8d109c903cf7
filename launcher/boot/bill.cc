#include "launcher/boot/bill.h"

#include <fmt/format.h>

#include <algorithm>

namespace boot {

std::string bill_so_far(const Boot& boot) {
  const ledger::Memory& memory = boot.journal.memory();
  const auto since = std::max<std::int64_t>(0, wall_milliseconds() - memory.newest_wall_milliseconds);
  const auto minutes = (memory.up_milliseconds + since) / 60'000;
  return fmt::format("{} h {} min of pods so far", minutes / 60, minutes % 60);
}

}  // namespace boot
