// Tells people and their programs what has become of a run: a web hook gets JSON, a command gets variables. A process
// of its own for each target does the telling and tries again for up to an hour, so nothing of the boot waits for it.
// These processes end with their task, or with the boot; a signal that is meant for the training does not end them.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "launcher/base/waiter.h"
#include "launcher/provider/http.h"

namespace boot {

struct Boot;

enum class Event { kHold, kDone, kPreempted };
std::string_view name(Event event);

// All of it is fit to be shown: redacted, and no secret's value among it.
struct Notification {
  Event event = Event::kDone;
  // "run", "pod", "reason" …; in JSON under these names, for a command as PODLAUNCH_RUN, PODLAUNCH_POD …
  std::vector<std::pair<std::string, std::string>> facts;
  std::string text;  // one line for a person
};

std::string to_json(const Notification& notification);
std::vector<std::pair<std::string, std::string>> to_variables(const Notification& notification);

// Once, to one target; blocks. For a helper process.
base::Result<void> deliver(const Notification& notification, const std::string& target,
                           const provider::HttpSettings& http);

class Notifier {
 public:
  void start(const Notification& notification, Boot& boot);
  // Those that have not ended yet.
  std::vector<pid_t> processes(base::Waiter& waiter);
  std::vector<pid_t> known_processes() const { return processes_; }
  // Waits for them, and ends those that are still at it then. True: every target of the last start was reached.
  bool finish(base::Waiter& waiter, base::Milliseconds deadline);

 private:
  std::vector<pid_t> processes_;
  bool all_reached_ = true;
};

}  // namespace boot
