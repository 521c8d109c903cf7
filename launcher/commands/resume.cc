#include <fmt/format.h>

#include "launcher/base/files.h"
#include "launcher/commands/commands.h"
#include "launcher/commands/find_run.h"
#include "launcher/commands/print_line.h"

namespace commands {

int resume(const config::Invocation& invocation, const config::Environment& environment) {
  const auto found = find_run(invocation.config, environment);
  if (!found) return complain(found.error());
  const auto ledger = ledger::read(found->folder / "ledger.jsonl");
  // A ledger that cannot be read is itself what a launcher holds for.
  const bool held = !ledger || ledger->memory.history.hold.has_value();
  if (!held) {
    return complain(
        base::invalid_input(fmt::format("run {} is not held: it is {}", found->run, state_of(*found, *ledger))));
  }
  if (auto written = base::write_file_durably((found->folder / "resume").string(), "resume\n"); !written)
    return complain(written.error());
  print_line("run {} goes on {}", found->run, found->active ? "within half a minute" : "at the next boot");
  return 0;
}

}  // namespace commands
