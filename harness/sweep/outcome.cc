#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "harness/sweep/sweep.h"

namespace sweep {

using nlohmann::json;

std::string Options::asked() const {
  std::string text = fmt::format("seed {} places {} at {} points {} worlds {} doubles {}", seed, places, at,
                                 points.value_or(0), worlds.value_or(0), doubles ? std::to_string(*doubles) : "all");
  for (const Kind kind : kinds) text += fmt::format(" kind {}", name(kind));
  for (const auto& model : models) text += " model " + model;
  return text;
}

oracle::Judgement Outcome::judgement() const {
  using oracle::Judgement;
  if (!error.empty()) return Judgement::kSetupError;
  for (const auto& failure : failures) {
    if (failure.judgement == Judgement::kFail) return Judgement::kFail;
  }
  const bool empty_part = part.count > 1 && worlds == 0;  // others have something to play
  if (!failures.empty() || !not_covered.empty() || !applies || (played == 0 && !empty_part)) return Judgement::kUnknown;
  return Judgement::kPass;
}

int exit_status(const std::vector<Swept>& all) {
  constexpr int kSetupError = 3;
  int status = 0;
  for (const auto& swept : all) {
    const int one = oracle::exit_status(swept.outcome.judgement());
    if (one == kSetupError) return kSetupError;
    if (one == 1 || (one == 2 && status == 0)) status = one;
  }
  return status;
}

std::string to_json(const Outcome& outcome) {
  json failures = json::array();
  for (const auto& failure : outcome.failures) {
    failures.push_back({{"fault", json::parse(to_json(failure.fault))},
                        {"judgement", static_cast<int>(failure.judgement)},
                        {"text", failure.fault.text()},
                        {"reason", failure.reason}});
  }
  json tallies = json::object();
  for (const auto& [name, tally] : outcome.tallies) {
    tallies[name] = {{"faults", tally.faults}, {"planned", tally.planned}, {"played", tally.played},
                     {"failed", tally.failed}, {"unknown", tally.unknown}, {"drawn", tally.drawn}};
  }
  return json{{"error", outcome.error},
              {"applies", outcome.applies},
              {"part",
               {{"index", outcome.part.index},
                {"count", outcome.part.count},
                {"points", outcome.part.points},
                {"of", outcome.part.of},
                {"whole", outcome.part.whole}}},
              {"points", outcome.points},
              {"points-by-process", outcome.points_by_process},
              {"network-points", outcome.network_points},
              {"tallies", tallies},
              {"failures", failures},
              {"notes", outcome.notes},
              {"not-covered", outcome.not_covered},
              {"worlds", outcome.worlds},
              {"played", outcome.played},
              {"seconds-recording", outcome.seconds_recording},
              {"seconds-playing", outcome.seconds_playing},
              {"processor-seconds", outcome.processor_seconds},
              {"complete", outcome.complete},
              {"verdict", oracle::name(outcome.judgement())}}
      .dump(2, ' ', false, json::error_handler_t::replace);
}

base::Result<Outcome> outcome_from_json(const std::string& text) {
  try {
    const json all = json::parse(text);
    Outcome outcome;
    outcome.error = all.at("error");
    outcome.applies = all.at("applies");
    const json& part = all.at("part");
    outcome.part = {part.at("index"), part.at("count"), part.at("points"), part.at("of"), part.at("whole")};
    outcome.points = all.at("points");
    outcome.points_by_process = all.at("points-by-process").get<std::map<std::string, std::size_t>>();
    outcome.network_points = all.at("network-points").get<std::map<std::string, std::size_t>>();
    for (const auto& [name, tally] : all.at("tallies").items()) {
      outcome.tallies[name] = {tally.at("faults"), tally.at("planned"), tally.at("played"),
                               tally.at("failed"), tally.at("unknown"), tally.at("drawn")};
    }
    for (const auto& failure : all.at("failures")) {
      auto fault = fault_from_json(failure.at("fault").dump());
      if (!fault) return base::fail(fault.error());
      outcome.failures.push_back(
          {*fault, static_cast<oracle::Judgement>(failure.at("judgement").get<int>()), failure.at("reason")});
    }
    outcome.notes = all.at("notes").get<std::vector<std::string>>();
    outcome.not_covered = all.at("not-covered").get<std::vector<std::string>>();
    outcome.worlds = all.at("worlds");
    outcome.played = all.at("played");
    outcome.seconds_recording = all.at("seconds-recording");
    outcome.seconds_playing = all.at("seconds-playing");
    outcome.processor_seconds = all.at("processor-seconds");
    outcome.complete = all.at("complete");
    return outcome;
  } catch (const json::exception& problem) {
    return base::fail(base::invalid_input(problem.what(), "Report this as an error of simrun"));
  }
}

}  // namespace sweep
