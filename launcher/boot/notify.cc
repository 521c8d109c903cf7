#include "launcher/boot/notify.h"

#include <fmt/format.h>

#include "launcher/boot/bill.h"

namespace boot {

static std::string sentence(const Boot& boot, Event event, const policy::Hold* hold) {
  switch (event) {
    case Event::kDone:
      return fmt::format("run {} is done", boot.run);
    case Event::kPreempted:
      return fmt::format("run {} was told to stop: its pod is being taken away", boot.run);
    case Event::kHold:
      break;
  }
  return fmt::format("run {} is held: {}", boot.run, hold == nullptr ? "" : hold->cause);
}

Notification notification(const Boot& boot, Event event, const policy::Hold* hold) {
  const ledger::Memory& memory = boot.journal.memory();
  Notification told{.event = event, .facts = {}, .text = sentence(boot, event, hold)};
  const auto add = [&](const char* key, std::string_view value) {
    if (!value.empty()) told.facts.emplace_back(key, boot.redactor.redact(value));
  };
  add("run", boot.run);
  add("pod", boot.identity.pod);
  add("attempts", std::to_string(memory.attempts));
  add("boots", std::to_string(memory.boots));
  if (memory.best_step) add("step", std::to_string(*memory.best_step));
  add("checkpoint", memory.best_checkpoint);
  if (hold != nullptr) {
    add("reason", policy::name(hold->reason));
    add("cause", hold->cause);
    add("remedy", hold->remedy);
    add("failure", memory.last_failure);
  }
  add("bill", bill_so_far(boot));
  return told;
}

}  // namespace boot
