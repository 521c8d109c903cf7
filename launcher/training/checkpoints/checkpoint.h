// Checkpoints on disk: which there are, which is newest by the number in its name, and whether its form is whole.
// File times are never looked at.
//
// What is one checkpoint. A folder that is named after a step holds one, with everything in it: weights, optimizer,
// state. So does a folder that a pattern matches, when it holds what checkpoints are made of. Files whose names differ
// only in "-00001-of-00004" are the shards of one. Any other file that matches is one by itself.
//
// A checkpoint is judged and moved as a whole: one torn file makes all of it unusable.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "launcher/base/time.h"

namespace training {

struct Checkpoint {
  std::filesystem::path path;                // what the training would be given
  std::vector<std::filesystem::path> files;  // all that belong to it
  std::optional<std::int64_t> number;        // none in its name: it cannot be compared
  bool is_folder = false;
};

// Those that match the globs, oldest first: without a number, then by number.
std::vector<Checkpoint> find_checkpoints(const std::vector<std::string>& patterns);

// How closely to look. Lengths, headers and directories cost little. Checksums read every byte, and find what an
// unclean end leaves behind: a file of the right length with a hole of zeros in it. When their time is up what was not
// read yet counts as whole.
struct Closeness {
  bool checksums = false;
  base::TimePoint checksums_until = base::kForever;
};

// Empty when the form is whole; else what is wrong, a phrase.
std::string what_is_torn(const std::filesystem::path& file, const Closeness& closeness = {});
std::string what_is_torn(const Checkpoint& checkpoint, const Closeness& closeness = {});

// Marks that some trainings put into a folder last: "_SUCCESS", ".complete". Empty when there is none.
std::string completion_mark(const Checkpoint& checkpoint);

// The step in a name: after "step", "checkpoint" and the like, else the last number.
std::optional<std::int64_t> number_in_name(std::string_view name);

// What a look at all checkpoints gives. The newest whole one is what training resumes from.
struct CheckpointSurvey {
  std::string resume_from;             // path; empty: none
  std::optional<std::int64_t> number;  // of resume_from
  int whole = 0;                       // of those looked at: the newest two
  int found = 0;
  std::vector<std::string> set_aside;    // "path: what is wrong, now at …"
  std::vector<std::string> unusable;     // "path: what is wrong", when several are there and none is whole
  std::string whole_from;                // the newest whole one, when it was moved: where it lay
  std::string whole_to;                  // and where it lies now
  std::vector<std::string> whole_names;  // of its files in the folder `whole_to`, when it is several without a folder

  std::string to_json() const;
  static std::optional<CheckpointSurvey> from_json(std::string_view text);
};

// Puts a whole checkpoint that was moved aside back, as long as nothing new lies in its place.
bool put_back(const CheckpointSurvey& survey);

struct SurveyWay {
  std::filesystem::path quarantine = {};  // where torn ones on the way are moved; empty: nothing is moved
  bool skip_newest = false;               // moves the newest whole one as well: it crashes whoever loads it
  bool even_all = false;                  // moves several of which none is whole, too
  Closeness closeness = {};
};

// Looks from the newest backwards until a whole one is found, and at the one before. A kill tears the one that is being
// written. When several are torn and none is whole, more likely the form is one that is not known here, or the disk is
// at fault: they stay where they are, for a person to look at.
CheckpointSurvey survey_checkpoints(const std::vector<std::string>& patterns, const SurveyWay& way = {});

}  // namespace training
