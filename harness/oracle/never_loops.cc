#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include "harness/oracle/promises.h"
#include "harness/oracle/words.h"

// When is a row of boots a loop?
//
// The plain answer counts: five boots one after the other that ended by themselves, that nothing from outside
// disturbed, and in which the training got no further. That is an observation. The sixth might be different, and
// whoever reads the verdict must be told so.
//
// Some loops can be proven from two boots. A command is a process tree that starts from nothing: all that tells one
// boot from the next is what it reads. Let boots i and j = i + 1 both end by themselves without progress, and let R be
// the set of things that boot j read before it had written them itself: contents, folder listings, stat results, links,
// names that were absent, and the answers of the network. Suppose
//
//   (1) boots i and j have the same R and the same answers, and ended with the same status;
//   (2) what boot j left different on the disks is not in R;
//   (3) nothing outside the pod is about to change: no entry of the timeline is still to come, no fault to heal;
//   (4) the stage could observe everything that boot j did.
//
// By (2) and (3), boot j + 1 finds in R exactly what boot j found there. Reading the same, it does the same: it reads R
// again and nothing more, writes what boot j wrote, ends with the same status, and leaves R alone as boot j did. So
// boot j + 2 finds the same, and so on for ever. Boot i is the evidence for "reading the same, it does the same": two
// boots that looked at the same things and ended alike show that no date and no chance chose for them. Disks need not
// be equal, only R. A boot may append to a log for ever.
//
// What the proof assumes is said in the verdict: that the command's choices don't depend on the date, on process ids or
// on the times of files; that the platform goes on restarting; that what the boots append does not fill a disk.
//
// Three things make it hold its tongue. A timeline entry still to come could end the loop, unless it waits for
// something that a boot does: a boot that repeats will not do it either. A fault with a counter of its own (pip failing
// a number of times) keeps state that R does not show. And a later boot that ended otherwise refutes what two boots
// seemed to say.

namespace oracle {

namespace {

constexpr auto oracle_name = "never-loops";
constexpr std::size_t boots_without_progress_max = 4;  // one more is a loop
// In one boot, of the same thing: the training, a setup step. A launcher that gives up after 26 tries is proven not to
// loop (`simrun prove`); one that tries more often than this would have to show it otherwise.
constexpr int starts_in_a_row_max = 30;

const std::vector<std::string> proof_assumptions = {
    "the command's choices depend on neither the date, nor process ids, nor the times of files",
    "the platform goes on restarting a container that ends this way",
    "what every boot adds to the disks does not fill them",
};

bool is_within_or_below(const std::string& path, const std::set<std::string>& changed) {
  for (std::filesystem::path at = path; at.has_relative_path(); at = at.parent_path()) {
    if (changed.contains(at.string())) return true;
  }
  return changed.contains("/");
}

// The first thing that the boot read and then left different; nothing when it left all of its read set alone.
std::optional<std::string> own_reading_changed(const pod::BootTrace& trace) {
  for (const auto& [path, kind] : trace.read_set) {
    const bool touched = is_within_or_below(path, trace.changed) ||
                         (kind == pod::ObservationKind::kListing && trace.listing_changed.contains(path));
    if (touched) return path;
  }
  return std::nullopt;
}

bool waits_for_the_boot_itself(const scenario::Moment& when) {
  return !when.at && !when.boot && !when.attempt && when.after == scenario::Duration{0} &&
         (when.step || when.log || when.exec || when.syscall);
}

bool is_pending(const pod::WorldRecord& record, const scenario::TimelineEntry& entry) {
  const auto line = fmt::format("line {}:", entry.line);
  return std::any_of(record.pending.begin(), record.pending.end(),
                     [&](const std::string& pending) { return pending.starts_with(line); });
}

// What outside the boots could still make a later one different; nothing when the world around them has come to rest.
std::optional<std::string> still_to_come(const scenario::Scenario& scenario, const pod::WorldRecord& record) {
  std::size_t pending_explained = 0;
  std::ptrdiff_t heals_due = 0;
  for (const auto& entry : scenario.timeline) {
    const bool pending = is_pending(record, entry);
    if (pending && waits_for_the_boot_itself(entry.when)) ++pending_explained;
    if (pending) continue;
    const auto* network = std::get_if<scenario::NetworkDown>(&entry.action);
    if (network != nullptr && network->lasting > scenario::Duration{0}) ++heals_due;
    const auto* disk = std::get_if<scenario::DiskFault>(&entry.action);
    if (disk != nullptr && disk->lasting > scenario::Duration{0}) ++heals_due;
    const auto* provider = std::get_if<scenario::ProviderFault>(&entry.action);
    if (provider != nullptr && provider->lasting > scenario::Duration{0}) ++heals_due;
    const auto* pip = std::get_if<scenario::PipFails>(&entry.action);
    if (pip != nullptr && pip->times > 0) return "pip fails a limited number of times, which the boots may use up";
  }
  if (record.pending.size() > pending_explained || (record.pending_timeline && record.pending.empty())) {
    return "an entry of the timeline is still to come: " +
           (record.pending.empty() ? "unnamed" : record.pending.front());
  }
  const auto heals = std::count_if(record.events.begin(), record.events.end(),
                                   [](const pod::Event& event) { return event.kind == pod::EventKind::kHeal; });
  if (heals < heals_due) return "a fault of the network, of a disk or of the provider is still to heal";
  return std::nullopt;
}

class History {
 public:
  History(const scenario::Scenario& scenario, const pod::WorldRecord& record) : scenario_(scenario), record_(record) {
    for (const auto& attempt : record.attempts) {
      if (attempt.finished && !first_finish_) first_finish_ = attempt.boot;
    }
  }

  const pod::Boot& boot(std::size_t index) const { return record_.boots[index]; }
  std::size_t size() const { return record_.boots.size(); }

  // Finishing counts as progress once. A finished training that every boot runs again gets nowhere.
  bool progressed(std::size_t index) const {
    return boot(index).best_step_after > boot(index).best_step_before || boot(index).number == first_finish_;
  }

  // It ended by itself, alone, and the training got no further.
  bool idle(std::size_t index) const {
    return boot(index).ended_by == pod::BootEnd::kOwnExit && !disturbed(index) && !progressed(index);
  }

  // How many idle boots follow one another, the one at `first` included.
  std::size_t idle_from(std::size_t first) const {
    std::size_t count = 0;
    while (first + count < size() && idle(first + count)) ++count;
    return count;
  }

  // How many idle boots the record ends with; one that was still running when it ended is looked past.
  std::size_t idle_at_the_end() const {
    std::size_t end = size();
    if (end > 0 && boot(end - 1).ended_by == pod::BootEnd::kStillRunning) --end;
    std::size_t count = 0;
    while (count < end && idle(end - 1 - count)) ++count;
    return count;
  }

  // Why boots first and first + 1 do not prove a loop; nothing when they do.
  std::optional<std::string> proof_gap(std::size_t first) const {
    const auto& earlier = boot(first);
    const auto& later = boot(first + 1);
    if (const auto change = still_to_come(scenario_, record_)) return change;
    if (record_.outcome == scenario::Outcome::kExited) return "the platform stopped restarting the container";
    if (earlier.status != later.status) {
      return fmt::format("they ended differently: {} and {}", earlier.status.describe(), later.status.describe());
    }
    for (const auto* trace : {&earlier.trace, &later.trace}) {
      if (!trace->unobserved.empty()) return "not all that they did could be observed: " + trace->unobserved.front();
    }
    if (const auto difference = read_differently(earlier.trace, later.trace)) return difference;
    if (const auto path = own_reading_changed(later.trace)) {
      return fmt::format("boot {} left {} different from how it had found it", later.number, *path);
    }
    return contradiction(first + 1);
  }

 private:
  bool disturbed(std::size_t index) const {
    const auto since = index == 0 ? scenario::Duration{0} : boot(index - 1).end;
    return boot(index).disturbed ||
           std::any_of(record_.events.begin(), record_.events.end(), [&](const pod::Event& event) {
             return event.kind == pod::EventKind::kHeal && event.at > since && event.at <= boot(index).end;
           });
  }

  static std::optional<std::string> read_differently(const pod::BootTrace& earlier, const pod::BootTrace& later) {
    if (earlier.answers != later.answers) return "the network answered them differently";
    if (earlier.read_set == later.read_set) return std::nullopt;
    std::vector<std::pair<std::string, pod::ObservationKind>> differing;
    std::set_symmetric_difference(earlier.read_set.begin(), earlier.read_set.end(), later.read_set.begin(),
                                  later.read_set.end(), std::back_inserter(differing));
    return fmt::format("only one of them looked at {}", differing.front().first);
  }

  // A boot after `last` that did not do what the proof says every later boot does.
  std::optional<std::string> contradiction(std::size_t last) const {
    for (std::size_t index = last + 1; index < size(); ++index) {
      const bool cut_off = index + 1 == size() && boot(index).ended_by == pod::BootEnd::kStillRunning &&
                           boot(index).end - boot(index).start <= 2 * (boot(last).end - boot(last).start);
      if (!idle(index) && !cut_off) return fmt::format("boot {} went differently", boot(index).number);
    }
    return std::nullopt;
  }

  const scenario::Scenario& scenario_;
  const pod::WorldRecord& record_;
  std::optional<int> first_finish_;
};

scenario::Duration spacing(const History& history, std::size_t first) {
  return history.boot(first + 1).start - history.boot(first).start;
}

std::string spacing_text(scenario::Duration spacing) {
  const auto a_day = std::chrono::hours(24);
  if (spacing <= scenario::Duration{0}) return "at once";
  return fmt::format("{} apart, {} a day", length_text(spacing),
                     count_text(static_cast<std::size_t>(a_day / spacing), "boot"));
}

Verdict observed(const History& history, std::size_t first, std::size_t count) {
  const auto gap = history.proof_gap(first + count - 2);
  return {oracle_name,
          Status::kFail,
          fmt::format("{} in a row, {} to {}, ended by themselves and got no further ({}). Observed, not proven: {}",
                      count_text(count, "boot"), history.boot(first).number, history.boot(first + count - 1).number,
                      spacing_text(spacing(history, first + count - 2)),
                      gap.value_or("a boot before them ended otherwise")),
          false,
          {}};
}

// A loop inside one boot: it starts the same thing over and over.
std::optional<Verdict> starts_over(const pod::WorldRecord& record) {
  const auto most =
      std::max_element(record.boots.begin(), record.boots.end(),
                       [](const pod::Boot& a, const pod::Boot& b) { return a.starts_in_a_row < b.starts_in_a_row; });
  if (most == record.boots.end() || most->starts_in_a_row <= starts_in_a_row_max) return std::nullopt;
  return Verdict{oracle_name,
                 Status::kFail,
                 fmt::format("boot {} started {} {} times in a row and got no further. Observed, not proven: what it "
                             "does within a boot is not compared",
                             most->number, most->started, most->starts_in_a_row),
                 false,
                 {}};
}

bool came_to_rest(const pod::WorldRecord& record) {
  using scenario::Outcome;
  return record.outcome == Outcome::kCompleted || record.outcome == Outcome::kHeld ||
         record.outcome == Outcome::kExited || record.outcome == Outcome::kStopped ||
         record.outcome == Outcome::kTerminated;
}

Verdict check(const scenario::Scenario& scenario, const pod::WorldRecord& record) {
  const History history(scenario, record);
  for (std::size_t first = 0; first + 1 < history.size(); ++first) {
    if (!history.idle(first) || !history.idle(first + 1) || history.proof_gap(first)) continue;
    return {
        oracle_name, Status::kFail,
        fmt::format("boots {0} and {1} looked at the same things, and boot {1} left them all as it found them: every "
                    "later boot will do the same ({2})",
                    history.boot(first).number, history.boot(first + 1).number, spacing_text(spacing(history, first))),
        true, proof_assumptions};
  }
  std::size_t longest = 0;
  for (std::size_t first = 0; first < history.size(); ++first) {
    const auto count = history.idle_from(first);
    longest = std::max(longest, count);
    if (count > boots_without_progress_max) return observed(history, first, count);
  }
  if (auto verdict = starts_over(record)) return *verdict;
  const auto boots = count_text(history.size(), "boot");
  if (history.idle_at_the_end() >= 2 && !came_to_rest(record)) {
    return {oracle_name,
            Status::kUnknown,
            fmt::format("the world ended after {}, {} of them in a row without progress: too few to call it a loop",
                        boots, longest),
            false,
            {}};
  }
  const auto idle = longest == 0
                        ? "none of which ended by itself without progress"
                        : fmt::format("at most {} in a row that ended by themselves without progress", longest);
  return {oracle_name, Status::kPass, boots + ", " + idle, false, {}};
}

}  // namespace

Oracle never_loops() {
  return {oracle_name, "boots do not follow one another without the training getting further", check};
}

}  // namespace oracle
