#include "launcher/boot/bill.h"

#include <fmt/format.h>

#include "launcher/boot/paid_time.h"

namespace boot {

std::string bill_so_far(const Boot& boot) {
  const ledger::Memory& memory = boot.journal.memory();
  const auto minutes = (memory.up_milliseconds / 1000 + unrecorded_time(boot).count()) / 60;
  std::string bill = fmt::format("{} h {} min of pods so far", minutes / 60, minutes % 60);
  if (boot.config.price) {
    bill += fmt::format(", about {:.2f} at {:g} an hour", static_cast<double>(minutes) / 60 * *boot.config.price,
                        *boot.config.price);
  }
  return bill;
}

}  // namespace boot
