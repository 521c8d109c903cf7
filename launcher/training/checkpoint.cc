#include "launcher/training/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "launcher/base/files.h"
#include "launcher/base/glob.h"

namespace training {

namespace fs = std::filesystem;

static std::optional<std::int64_t> to_number(const std::string& digits) {
  std::int64_t number = 0;
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (code != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

static const std::regex& named_number() {
  static const std::regex pattern(R"((step|iteration|iter|checkpoint|ckpt|epoch)[-_=.]?(\d+))", std::regex::icase);
  return pattern;
}

std::optional<std::int64_t> number_in_name(std::string_view name) {
  static const std::regex shard(R"([-_.]\d+-of-\d+)");
  const std::string plain = std::regex_replace(std::string(name.substr(0, 255)), shard, "");
  // "epoch=3-step=1200": the finer count is the later one, except for what follows a step.
  std::optional<std::int64_t> found;
  for (std::sregex_iterator match(plain.begin(), plain.end(), named_number()), end; match != end; ++match) {
    found = to_number((*match)[2].str());
    if (std::tolower(static_cast<unsigned char>((*match)[1].str().front())) == 's') break;
  }
  if (found) return found;
  static const std::regex number(R"(\d+)");
  for (std::sregex_iterator match(plain.begin(), plain.end(), number), end; match != end; ++match)
    found = to_number(match->str());
  return found;
}

static std::string stem_of(const fs::path& file) {
  static const std::regex shard(R"([-_.]\d+-of-\d+.*)");
  const std::string name = file.filename().string().substr(0, 255);
  if (std::string stem = std::regex_replace(name, shard, ""); stem != name) return stem;
  return {};
}

// A folder such as checkpoint-500 above the file, below what the pattern fixes, makes all in it one checkpoint.
static fs::path numbered_folder(const fs::path& file, const std::string& fixed) {
  fs::path folder = file.parent_path();
  while (folder.string().size() > fixed.size() && folder.has_relative_path()) {
    if (std::regex_search(folder.filename().string(), named_number())) return folder;
    folder = folder.parent_path();
  }
  return {};
}

// A pattern as wide as outputs/* also matches what every attempt leaves anew: a log named after the hour would count as
// progress each time, and the run would be tried for ever.
static bool is_no_checkpoint(const fs::path& file) {
  static const std::set<std::string> kOthers = {".log", ".txt",  ".out",  ".err", ".csv",  ".tsv",       ".md",
                                                ".yml", ".yaml", ".lock", ".tmp", ".part", ".unfinished"};
  return kOthers.contains(file.extension().string()) || file.filename().string().starts_with("events.out.tfevents");
}

std::vector<Checkpoint> find_checkpoints(const std::vector<std::string>& patterns) {
  std::map<std::string, Checkpoint> by_key;
  for (const std::string& pattern : patterns) {
    const std::string fixed = base::fixed_folder(pattern);
    for (const std::string& match : base::glob(pattern)) {
      const fs::path file = match;
      std::error_code code;
      if (fs::is_symlink(file, code)) continue;  // "latest": another name of one that is listed anyway
      const fs::path folder = numbered_folder(file, fixed);
      if (folder.empty() && is_no_checkpoint(file)) continue;
      const std::string shards = folder.empty() ? stem_of(file) : "";
      const std::string key = !folder.empty()  ? folder.string()
                              : shards.empty() ? match
                                               : (file.parent_path() / shards).string();
      Checkpoint& checkpoint = by_key[key];
      if (checkpoint.path.empty()) {
        checkpoint.path = folder.empty() ? file : folder;
        checkpoint.number = number_in_name(checkpoint.path.filename().string());
      }
      checkpoint.files.push_back(file);
    }
  }
  std::vector<Checkpoint> found;
  for (auto& [key, checkpoint] : by_key) found.push_back(std::move(checkpoint));
  std::stable_sort(found.begin(), found.end(),
                   [](const Checkpoint& left, const Checkpoint& right) { return left.number < right.number; });
  return found;
}

std::string what_is_torn(const Checkpoint& checkpoint) {
  for (const fs::path& file : checkpoint.files) {
    if (std::string torn = what_is_torn(file); !torn.empty()) return file.filename().string() + ": " + torn;
  }
  return {};
}

// Renamed to where nobody looks for checkpoints, under a name that no pattern for them matches.
static std::string move_aside(const Checkpoint& checkpoint, const fs::path& quarantine, std::string& problem) {
  std::vector<fs::path> moving = checkpoint.files;
  if (moving.size() == 1 || fs::is_directory(checkpoint.path)) moving = {checkpoint.path};
  std::string last;
  for (const fs::path& from : moving) {
    for (fs::path folder : {quarantine, from.parent_path() / ".podlaunch" / "quarantine"}) {
      std::error_code code;
      fs::create_directories(folder, code);
      fs::path to;
      for (int number = 1; to.empty() || fs::exists(to); ++number)
        to = folder / fmt::format("{}.set-aside-{}", from.filename().string(), number);
      fs::rename(from, to, code);
      last = code ? "" : to.string();
      problem = code ? code.message() : "";
      if (!code) break;
    }
    if (last.empty()) return {};
  }
  return last;
}

CheckpointSurvey survey_checkpoints(const std::vector<std::string>& patterns, const fs::path& quarantine,
                                    bool skip_newest) {
  CheckpointSurvey survey;
  std::vector<Checkpoint> all = find_checkpoints(patterns);
  survey.found = static_cast<int>(all.size());
  for (; !all.empty() && survey.whole < 2; all.pop_back()) {
    const Checkpoint& checkpoint = all.back();
    std::string torn = what_is_torn(checkpoint);
    const bool was_whole = torn.empty();
    if (was_whole && skip_newest && all.size() > 1) {
      torn = "whole by its form, but attempts from it fail again and again";
      skip_newest = false;
    }
    if (torn.empty()) {
      if (survey.whole++ == 0) {
        survey.resume_from = checkpoint.path.string();
        survey.number = checkpoint.number;
      }
      continue;
    }
    // Older torn ones disturb nobody, and a look that may not change anything only passes over them.
    if (survey.whole > 0 || quarantine.empty()) continue;
    std::string problem;
    const std::string now_at = move_aside(checkpoint, quarantine, problem);
    if (was_whole && (checkpoint.files.size() == 1 || fs::is_directory(checkpoint.path))) {
      survey.whole_from = checkpoint.path.string();
      survey.whole_to = now_at;
    }
    survey.set_aside.push_back(
        now_at.empty() ? fmt::format("{}: {}; it cannot be moved: {}", checkpoint.path.string(), torn, problem)
                       : fmt::format("{}: {}; now at {}", checkpoint.path.string(), torn, now_at));
  }
  return survey;
}

bool put_back(const CheckpointSurvey& survey) {
  std::error_code code;
  if (survey.whole_to.empty() || fs::exists(fs::symlink_status(survey.whole_from, code))) return false;
  fs::rename(survey.whole_to, survey.whole_from, code);
  return !code;
}

std::string CheckpointSurvey::to_json() const {
  nlohmann::json document{{"resume_from", resume_from}, {"whole", whole},           {"found", found},
                          {"set_aside", set_aside},     {"whole_from", whole_from}, {"whole_to", whole_to}};
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
  survey.whole_from = document.value("whole_from", "");
  survey.whole_to = document.value("whole_to", "");
  if (document.contains("number")) survey.number = document["number"].get<std::int64_t>();
  return survey;
}

}  // namespace training
