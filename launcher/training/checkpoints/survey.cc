#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "launcher/training/checkpoints/checkpoint.h"

namespace training {

namespace fs = std::filesystem;

// Shards that lie beside other files: a folder of their own holds them once they are moved.
static bool is_loose_set(const Checkpoint& checkpoint) {
  return !checkpoint.is_folder && checkpoint.files.size() > 1;
}

// All of them, or none: those that were moved are moved back when one cannot be.
static bool move_files(const std::vector<fs::path>& files, const fs::path& folder, std::error_code& code) {
  fs::create_directory(folder, code);
  if (code) return false;
  for (std::size_t i = 0; i < files.size(); ++i) {
    fs::rename(files[i], folder / files[i].filename(), code);
    if (!code) continue;
    std::error_code ignored;
    for (std::size_t j = 0; j < i; ++j) fs::rename(folder / files[j].filename(), files[j], ignored);
    fs::remove(folder, ignored);  // only when it is empty again
    return false;
  }
  return true;
}

// Renamed to where nobody looks for checkpoints, under a name that no search for them takes. A rename within the disk
// that it lies on: the quarantine of the run where that is the same one, else one beside it.
static std::string move_aside(const Checkpoint& checkpoint, const fs::path& quarantine, std::string& problem) {
  for (const fs::path& folder : {quarantine, checkpoint.path.parent_path() / ".podlaunch" / "quarantine"}) {
    std::error_code code;
    fs::create_directories(folder, code);
    fs::path to;
    for (int number = 1; to.empty() || fs::exists(fs::symlink_status(to, code)); ++number)
      to = folder / fmt::format("{}.set-aside-{}", checkpoint.path.filename().string(), number);
    code.clear();
    if (is_loose_set(checkpoint)) {
      if (move_files(checkpoint.files, to, code)) return to.string();
    } else {
      fs::rename(checkpoint.path, to, code);
      if (!code) return to.string();
    }
    problem = code.message();
  }
  return {};
}

static void remember_whole(CheckpointSurvey& survey, const Checkpoint& checkpoint, const std::string& now_at) {
  survey.whole_from = checkpoint.path.string();
  survey.whole_to = now_at;
  if (!is_loose_set(checkpoint) || now_at.empty()) return;
  for (const fs::path& file : checkpoint.files) survey.whole_names.push_back(file.filename().string());
}

namespace {

struct Torn {
  Checkpoint checkpoint;
  std::string what;
  bool was_whole = false;
};

}  // namespace

static void move_torn(CheckpointSurvey& survey, const Torn& torn, const fs::path& quarantine) {
  std::string problem;
  const std::string now_at = move_aside(torn.checkpoint, quarantine, problem);
  if (torn.was_whole) remember_whole(survey, torn.checkpoint, now_at);
  const std::string said = fmt::format("{}: {}", torn.checkpoint.path.string(), torn.what);
  survey.set_aside.push_back(now_at.empty() ? fmt::format("{}; it cannot be moved: {}", said, problem)
                                            : fmt::format("{}; now at {}", said, now_at));
}

CheckpointSurvey survey_checkpoints(const std::vector<std::string>& patterns, const SurveyWay& way) {
  CheckpointSurvey survey;
  std::vector<Checkpoint> all = find_checkpoints(patterns);
  survey.found = static_cast<int>(all.size());
  std::vector<Torn> torn;  // newer than the newest whole one: older ones disturb nobody
  bool skip_newest = way.skip_newest;
  for (; !all.empty() && survey.whole < 2; all.pop_back()) {
    const Checkpoint& checkpoint = all.back();
    // The one before the newest whole one only has to be there: its bytes are read when its turn comes.
    std::string what = what_is_torn(checkpoint, survey.whole == 0 ? way.closeness : Closeness());
    const bool was_whole = what.empty();
    if (was_whole && skip_newest && all.size() > 1) {
      what = "whole by its form, but attempts from it fail again and again";
      skip_newest = false;
    }
    if (what.empty()) {
      if (survey.whole++ == 0) {
        survey.resume_from = checkpoint.path.string();
        survey.number = checkpoint.number;
      }
    } else if (survey.whole == 0) {
      torn.push_back({checkpoint, std::move(what), was_whole});
    }
  }
  if (survey.whole == 0 && torn.size() > 1 && !way.even_all) {
    for (const Torn& one : torn)
      survey.unusable.push_back(fmt::format("{}: {}", one.checkpoint.path.string(), one.what));
  } else if (!way.quarantine.empty()) {  // else this look may not change anything
    for (const Torn& one : torn) move_torn(survey, one, way.quarantine);
  }
  return survey;
}

bool put_back(const CheckpointSurvey& survey) {
  const fs::path from = survey.whole_from, to = survey.whole_to;
  const std::vector<std::string> names =
      survey.whole_names.empty() ? std::vector<std::string>{from.filename().string()} : survey.whole_names;
  std::error_code code;
  for (const std::string& name : names) {
    if (to.empty() || fs::exists(fs::symlink_status(from.parent_path() / name, code))) return false;
  }
  if (survey.whole_names.empty()) {
    fs::rename(to, from, code);
    return !code;
  }
  for (const std::string& name : names) {
    fs::rename(to / name, from.parent_path() / name, code);
    if (code) return false;
  }
  fs::remove(to, code);
  return true;
}

std::string CheckpointSurvey::to_json() const {
  nlohmann::json document{
      {"resume_from", resume_from}, {"whole", whole},           {"found", found},       {"set_aside", set_aside},
      {"unusable", unusable},       {"whole_from", whole_from}, {"whole_to", whole_to}, {"whole_names", whole_names}};
  if (number) document["number"] = *number;
  return document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::optional<CheckpointSurvey> CheckpointSurvey::from_json(std::string_view text) {
  const auto document = nlohmann::json::parse(text, nullptr, false);
  if (!document.is_object()) return std::nullopt;
  CheckpointSurvey survey;
  survey.resume_from = document.value("resume_from", "");
  survey.whole = document.value("whole", 0);
  survey.found = document.value("found", 0);
  survey.set_aside = document.value("set_aside", std::vector<std::string>{});
  survey.unusable = document.value("unusable", std::vector<std::string>{});
  survey.whole_from = document.value("whole_from", "");
  survey.whole_to = document.value("whole_to", "");
  survey.whole_names = document.value("whole_names", std::vector<std::string>{});
  if (document.contains("number")) survey.number = document["number"].get<std::int64_t>();
  return survey;
}

}  // namespace training
