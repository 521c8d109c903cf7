// Checkpoints on disk: which there are, which is newest by the number in its name, and whether its form is whole.
// File times are never looked at.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace training {

// A file, a folder, or the shards of one checkpoint.
struct Checkpoint {
  std::filesystem::path path;                // what the training would be given
  std::vector<std::filesystem::path> files;  // what belongs to it
  std::optional<std::int64_t> number;        // none in its name: it cannot be compared
};

// Those that match the globs, oldest first: without a number, then by number.
std::vector<Checkpoint> find_checkpoints(const std::vector<std::string>& patterns);

// Empty when the form is whole; else what is wrong, a phrase.
std::string what_is_torn(const Checkpoint& checkpoint);
std::string what_is_torn(const std::filesystem::path& file);

// The step in a name: after "step", "checkpoint" and the like, else the last number.
std::optional<std::int64_t> number_in_name(std::string_view name);

// What a look at all checkpoints gives. The newest whole one is what training resumes from.
struct CheckpointSurvey {
  std::string resume_from;             // path; empty: none
  std::optional<std::int64_t> number;  // of resume_from
  int whole = 0;                       // of those looked at: the newest two
  int found = 0;
  std::vector<std::string> set_aside;  // "path: what is wrong, now at …"
  std::string whole_from;              // the newest whole one, when it was moved: where it lay
  std::string whole_to;                // and where it lies now; empty when it cannot be moved back as one

  std::string to_json() const;
  static std::optional<CheckpointSurvey> from_json(std::string_view text);
};

// Puts a whole checkpoint that was moved aside back, as long as nothing new lies in its place.
bool put_back(const CheckpointSurvey& survey);

// Looks from the newest backwards until a whole one is found, and at the one before. With `quarantine` not empty torn
// ones on the way are moved there; `skip_newest` moves the newest whole one as well: it crashes whoever loads it.
CheckpointSurvey survey_checkpoints(const std::vector<std::string>& patterns, const std::filesystem::path& quarantine,
                                    bool skip_newest = false);

}  // namespace training
