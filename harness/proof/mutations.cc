#include "harness/proof/mutations.h"

#include <algorithm>

namespace proof {

namespace {

using namespace policy;

template <class T>
bool is(const Observation& observation) {
  return std::holds_alternative<T>(observation);
}

Decision as_it_should(const SoundPolicy& sound, const History& history, const Observation& observation,
                      const Limits& limits) {
  return sound.decide(history, observation, limits);
}

History as_it_was(const SoundPolicy& sound, const History& history, const Observation& observation,
                  const Decision& decision) {
  return sound.advance(history, observation, decision);
}

// --- Memories that lose something ------------------------------------------------------------------------------------

template <unsigned History::*counter>
History forgets(const SoundPolicy& sound, const History& history, const Observation& observation,
                const Decision& decision) {
  History after = sound.advance(history, observation, decision);
  after.*counter = 0;
  return after;
}

History forgets_failures(const SoundPolicy& sound, const History& history, const Observation& observation,
                         const Decision& decision) {
  History after = sound.advance(history, observation, decision);
  after.failures = after.same_failures = 0;
  return after;
}

History tries_older_checkpoint_for_ever(const SoundPolicy& sound, const History& history,
                                        const Observation& observation, const Decision& decision) {
  History after = sound.advance(history, observation, decision);
  after.older_checkpoint_tried = false;
  return after;
}

History trusts_progress(const SoundPolicy& sound, const History& history, const Observation& observation,
                        const Decision& decision) {
  History after = sound.advance(history, observation, decision);
  if (!is<Progressed>(observation)) return after;
  after.same_failures = after.failures = after.transients = after.preemptions = after.unclean_ends = 0;
  return after;
}

History ignores_progress(const SoundPolicy& sound, const History& history, const Observation& observation,
                         const Decision& decision) {
  return is<Progressed>(observation) ? history : sound.advance(history, observation, decision);
}

// --- Boots that begin with less than was written ---------------------------------------------------------------------

History without_the_end(History history, const Observation& observation) {
  if (is<BootBegan>(observation)) history.finished = false;
  return history;
}

Decision forgets_the_end(const SoundPolicy& sound, const History& history, const Observation& observation,
                         const Limits& limits) {
  return sound.decide(without_the_end(history, observation), observation, limits);
}

History runs_again(const SoundPolicy& sound, const History& history, const Observation& observation,
                   const Decision& decision) {
  return sound.advance(without_the_end(history, observation), observation, decision);
}

History without_the_hold(History history, const Observation& observation) {
  if (is<BootBegan>(observation)) history.hold.reset();
  return history;
}

Decision forgets_the_hold(const SoundPolicy& sound, const History& history, const Observation& observation,
                          const Limits& limits) {
  return sound.decide(without_the_hold(history, observation), observation, limits);
}

History goes_on(const SoundPolicy& sound, const History& history, const Observation& observation,
                const Decision& decision) {
  return sound.advance(without_the_hold(history, observation), observation, decision);
}

// --- Wrong answers ---------------------------------------------------------------------------------------------------

Decision exits_instead(const SoundPolicy& sound, const History& history, const Observation& observation,
                       const Limits& limits) {
  const Decision decision = sound.decide(history, observation, limits);
  const auto* hold = std::get_if<Hold>(&decision);
  if (hold == nullptr) return decision;
  return Exit{hold->reason, exit_code(hold->reason), hold->cause, hold->remedy};
}

Decision ignores_release(const SoundPolicy& sound, const History& history, const Observation& observation,
                         const Limits& limits) {
  const bool release = is<ResumeAsked>(observation) || is<CommitSeen>(observation);
  if (history.hold && !history.finished && release) return hold_for(history.hold->reason);
  return sound.decide(history, observation, limits);
}

Decision says_not_what_to_do(const SoundPolicy& sound, const History& history, const Observation& observation,
                             const Limits& limits) {
  const Decision decision = sound.decide(history, observation, limits);
  const auto* hold = std::get_if<Hold>(&decision);
  return hold == nullptr ? decision : Hold{hold->reason, hold->cause, {}};
}

constexpr const char* never_loops = "never loops";

constexpr Mutation table[] = {
    {"forgets-kills", "boots that end without a word are not counted", never_loops, as_it_should,
     forgets<&History::unclean_ends>},
    {"forgets-failures", "failures are not counted", never_loops, as_it_should, forgets_failures},
    {"forgets-outages", "failures of the network are not counted", never_loops, as_it_should,
     forgets<&History::transients>},
    {"forgets-preemptions", "boots that were told to end are not counted", never_loops, as_it_should,
     forgets<&History::preemptions>},
    {"trusts-progress", "whatever looks newer is progress, however short the attempt", never_loops, as_it_should,
     trusts_progress},
    {"retries-older-checkpoint", "it forgets that the older checkpoint was tried", never_loops, as_it_should,
     tries_older_checkpoint_for_ever},
    {"exits-instead", "it exits where it should hold", never_loops, exits_instead, as_it_was},
    {"runs-again", "a restart forgets that the run has finished", "finished stays finished", forgets_the_end,
     runs_again},
    {"restart-releases", "a restart ends a hold", "a hold lasts until released", forgets_the_hold, goes_on},
    {"ignores-release", "neither resume nor a new commit ends a hold", "a release leads to an attempt", ignores_release,
     as_it_was},
    {"ignores-progress", "progress forgives nothing", "no hold without a reason", as_it_should, ignores_progress},
    {"holds-silently", "a hold does not say what to do", "every hold says why and what to do", says_not_what_to_do,
     as_it_was},
};

}  // namespace

std::span<const Mutation> mutations() {
  return table;
}

const Mutation* find_mutation(std::string_view name) {
  const auto* found = std::find_if(std::begin(table), std::end(table),
                                   [name](const Mutation& mutation) { return mutation.name == name; });
  return found == std::end(table) ? nullptr : found;
}

}  // namespace proof
