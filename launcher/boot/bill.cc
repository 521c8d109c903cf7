#include "launcher/boot/bill.h"

#include <fmt/format.h>

#include <algorithm>

namespace boot {

std::string bill_so_far(const Boot& boot) {
  const ledger::Memory& memory = boot.journal.memory();
  const bool known = memory.newest_wall_milliseconds > 0;
  const auto since = known ? std::max<std::int64_t>(0, wall_milliseconds() - memory.newest_wall_milliseconds) : 0;
  const auto minutes = (memory.up_milliseconds + since) / 60'000;
  std::string bill = fmt::format("{} h {} min of pods so far", minutes / 60, minutes % 60);
  if (boot.config.price) {
    bill += fmt::format(", about {:.2f} at {:g} an hour", static_cast<double>(minutes) / 60 * *boot.config.price,
                        *boot.config.price);
  }
  return bill;
}

}  // namespace boot
