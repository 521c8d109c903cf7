// The process that records one play of a scenario, plans the worlds that follow from it, and has them played.
//
// Economy is in the plan: a fault is a moment and an image of the disks. Two kills between which no disk changed are
// one world, and so are a kill and a power cut that lose nothing, or two models that leave the same; each world is
// played once and stands for all of them.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "harness/explore/shard.h"
#include "harness/explore/workers.h"
#include "harness/oracle/result.h"
#include "harness/scenario/scenario.h"
#include "harness/sweep/fault.h"

namespace sweep {

struct Options {
  std::set<Kind> kinds{std::begin(kAllKinds), std::end(kAllKinds)};
  std::set<std::string> models;        // of power cuts; empty: all
  std::optional<std::size_t> points;   // at most this many, drawn by the seed
  std::string at;                      // a regular expression: only fault points whose address it finds
  std::optional<std::size_t> worlds;   // the same, of worlds
  std::optional<std::size_t> doubles;  // pairs of kills; default: as many as there are worlds with one
  int places = 3;                      // within each answer, for faults of the network
  double budget_seconds = 0;           // real time for worlds; 0: until all are played
  std::uint64_t seed = 1;
  int workers = 1;
  double world_seconds_max = 60;
  std::optional<Fault> only;  // a replay
  std::string keep_result;    // where a replay leaves what it recorded
  std::string strace;         // the path of a second witness of every boot; empty: none
  explore::Shard shard;       // the part of the fault points that this machine sweeps

  // What all parts of one sweep must have in common, in words.
  std::string asked() const;
};

// Of one kind, or of one model of power cuts.
struct Tally {
  std::size_t faults = 0;   // that there are
  std::size_t planned = 0;  // worlds that stand for all of them
  std::size_t played = 0;
  std::size_t failed = 0;
  std::size_t unknown = 0;
  std::size_t drawn = 0;  // power: moments at which images were drawn rather than all made
};

// One of several machines that share a sweep, and what shows that all of them share the same one.
struct Part {
  int index = 0;  // from 0
  int count = 1;
  std::size_t points = 0;  // that this part sweeps
  std::size_t of = 0;      // that there are
  // What all of them are about, and what was asked for, as a number. How often a program does the same may differ from
  // recording to recording: output that others print comes in pieces as it may.
  std::uint64_t whole = 0;
};

struct Failure {
  Fault fault;
  oracle::Judgement judgement = oracle::Judgement::kFail;
  std::string reason;
};

struct Outcome {
  std::string error;    // why there was no sweep at all
  bool applies = true;  // replay: the case's fault point was reached
  Part part;
  std::size_t points = 0;
  std::map<std::string, std::size_t> points_by_process;
  std::map<std::string, std::size_t> network_points;  // "git request": how many there were
  std::map<std::string, Tally> tallies;
  std::vector<Failure> failures;   // and what is unknown
  std::vector<std::string> notes;  // what a reader should know, and is no doubt
  std::vector<std::string> not_covered;
  std::size_t worlds = 0;
  std::size_t played = 0;
  double seconds_recording = 0;
  double seconds_playing = 0;
  double processor_seconds = 0;
  bool complete = false;  // everything that was planned was played

  oracle::Judgement judgement() const;
};

// Told after each world.
using Progress = std::function<void(const Outcome& so_far)>;

// Runs in this process, which is given up for it.
Outcome run_session(const scenario::Scenario& scenario, const explore::Settings& settings, const Options& options,
                    const Progress& progress);

std::string to_json(const Outcome& outcome);
base::Result<Outcome> outcome_from_json(const std::string& text);

}  // namespace sweep
