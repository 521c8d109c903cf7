#include <fmt/format.h>

#include <algorithm>

#include "harness/oracle/promises.h"
#include "harness/oracle/words.h"

namespace oracle {

namespace {

constexpr auto oracle_name = "completion-sticks";

// The moment in which a launcher can learn of the end and note it down, durably.
constexpr std::chrono::seconds kNotingTakesAtMost{1};

// The container was killed, or lost its power, before the end could be noted down, and the next attempt found nothing
// left to train: no launcher can do better.
bool could_not_be_noted(const pod::WorldRecord& record, const pod::Attempt& finished, const pod::Attempt& again) {
  const auto boot = std::ranges::find(record.boots, finished.boot, &pod::Boot::number);
  return boot != record.boots.end() && boot->ended_by == pod::BootEnd::kKilled &&
         boot->end - finished.end <= kNotingTakesAtMost && again.from_step >= finished.last_step;
}

Verdict check(const scenario::Scenario&, const pod::WorldRecord& record) {
  const auto& attempts = record.attempts;
  auto finished =
      std::find_if(attempts.begin(), attempts.end(), [](const pod::Attempt& attempt) { return attempt.finished; });
  if (finished == attempts.end())
    return {oracle_name, Status::kNotApplicable, "the training never finished", false, {}};
  auto again = std::next(finished);
  while (again != attempts.end() && could_not_be_noted(record, *finished, *again)) finished = again++;
  if (again == attempts.end()) {
    const auto boots_since = static_cast<std::size_t>(std::count_if(
        record.boots.begin(), record.boots.end(), [&](const pod::Boot& boot) { return boot.number > finished->boot; }));
    const auto since = boots_since == 0 ? "" : fmt::format(" in {} since", count_text(boots_since, "boot"));
    return {oracle_name,
            Status::kPass,
            fmt::format("the training finished in boot {} and was not run again{}", finished->boot, since),
            false,
            {}};
  }
  return {
      oracle_name,
      Status::kFail,
      fmt::format("the training finished in boot {} at {} and was run again in boot {} at {}, from step {}",
                  finished->boot, clock_text(finished->end), again->boot, clock_text(again->start), again->from_step),
      false,
      {}};
}

}  // namespace

Oracle completion_sticks() {
  return {oracle_name, "a finished training is never run again", check};
}

}  // namespace oracle
