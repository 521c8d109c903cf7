#include <algorithm>
#include <charconv>
#include <map>
#include <regex>
#include <set>

#include "launcher/base/glob.h"
#include "launcher/training/checkpoints/checkpoint.h"

namespace training {

namespace fs = std::filesystem;

static constexpr std::size_t kFilesMax = 20'000;  // of one checkpoint; more is not one

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

static bool is_numbered(const fs::path& folder) {
  return std::regex_search(folder.filename().string(), named_number());
}

// Ours, or not finished yet: Hugging Face writes tmp-checkpoint-500 and renames it.
static bool is_passed_over(const fs::path& path) {
  for (const fs::path& part : path) {
    const std::string name = part.string();
    if (name.find(".set-aside-") != std::string::npos || name.starts_with("tmp-") || name == ".podlaunch") return true;
  }
  return false;
}

// A folder such as checkpoint-500 above the file, below what the pattern fixes, makes all in it one checkpoint; so does
// one above that for the same step, such as checkpoint-500/global_step500.
static fs::path numbered_folder(const fs::path& file, const std::string& fixed) {
  const auto below_fixed = [&](const fs::path& folder) {
    return folder.string().size() > fixed.size() && folder.has_relative_path();
  };
  fs::path folder = file.parent_path();
  while (below_fixed(folder) && !is_numbered(folder)) folder = folder.parent_path();
  if (!below_fixed(folder)) return {};
  const auto number = number_in_name(folder.filename().string());
  for (fs::path above = folder.parent_path(); below_fixed(above) && is_numbered(above); above = above.parent_path()) {
    if (number_in_name(above.filename().string()) == number) folder = above;
  }
  return folder;
}

// A pattern as wide as outputs/* also matches what every attempt leaves anew: a log named after the hour would count as
// progress each time, and the run would be tried for ever.
static bool is_no_checkpoint(const fs::path& file) {
  static const std::set<std::string> kOthers = {".log", ".txt",  ".out",  ".err", ".csv",  ".tsv",       ".md",
                                                ".yml", ".yaml", ".lock", ".tmp", ".part", ".unfinished"};
  return kOthers.contains(file.extension().string()) || file.filename().string().starts_with("events.out.tfevents");
}

static bool holds_weights(const std::vector<fs::path>& files) {
  static const std::set<std::string> kWeights = {".pt",  ".pth", ".bin",   ".ckpt",    ".safetensors", ".distcp",
                                                 ".npz", ".tar", ".orbax", ".msgpack", ".h5"};
  return std::any_of(files.begin(), files.end(), [](const fs::path& file) {
    return kWeights.contains(file.extension().string()) || file.filename() == ".metadata";
  });
}

static std::vector<fs::path> files_below(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code code;
  for (fs::recursive_directory_iterator entry(folder, code), end; !code && entry != end; entry.increment(code)) {
    if (files.size() >= kFilesMax) break;
    std::error_code ignored;
    if (entry->is_regular_file(ignored)) files.push_back(entry->path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

// "model" of "model-00001-of-00002.safetensors"; empty when it is no shard.
static std::string stem_of(const fs::path& file) {
  static const std::regex shard(R"([-_.]\d+-of-\d+.*)");
  const std::string name = file.filename().string().substr(0, 255);
  if (std::string stem = std::regex_replace(name, shard, ""); stem != name) return stem;
  return {};
}

namespace {

class Collection {
 public:
  void add_match(const fs::path& match, const std::string& fixed) {
    std::error_code code;
    // "latest": another name of one that is listed anyway.
    if (fs::is_symlink(match, code) || is_passed_over(match)) return;
    if (const fs::path folder = numbered_folder(match, fixed); !folder.empty()) return add_folder(folder);
    if (fs::is_directory(match, code)) return add_matched_folder(match);
    if (is_no_checkpoint(match)) return;
    add_file(match);
  }

  std::vector<Checkpoint> take() {
    std::vector<Checkpoint> found;
    for (auto& [key, checkpoint] : by_key_) found.push_back(std::move(checkpoint));
    std::stable_sort(found.begin(), found.end(),
                     [](const Checkpoint& left, const Checkpoint& right) { return left.number < right.number; });
    return found;
  }

 private:
  void add_folder(const fs::path& folder) {
    Checkpoint& checkpoint = by_key_[folder.string()];
    if (!checkpoint.path.empty()) return;
    checkpoint = {folder, files_below(folder), number_in_name(folder.filename().string()), /*is_folder=*/true};
  }

  // A pattern as wide as outputs/* also matches folders of logs.
  void add_matched_folder(const fs::path& folder) {
    if (is_numbered(folder) || holds_weights(files_below(folder))) add_folder(folder);
  }

  void add_file(const fs::path& file) {
    const std::string stem = stem_of(file);
    Checkpoint& checkpoint = by_key_[stem.empty() ? file.string() : (file.parent_path() / stem).string()];
    if (checkpoint.path.empty()) {
      checkpoint.path = file;
      checkpoint.number = number_in_name(file.filename().string());
      if (!stem.empty()) add_index(checkpoint, file.parent_path() / stem);
    }
    if (std::find(checkpoint.files.begin(), checkpoint.files.end(), file) == checkpoint.files.end())
      checkpoint.files.push_back(file);
  }

  // The index belongs to its shards, whether or not a pattern matches it.
  static void add_index(Checkpoint& checkpoint, const fs::path& stem) {
    for (const char* end : {".safetensors.index.json", ".bin.index.json"}) {
      std::error_code code;
      if (fs::exists(stem.string() + end, code)) checkpoint.files.emplace_back(stem.string() + end);
    }
  }

  std::map<std::string, Checkpoint> by_key_;
};

}  // namespace

std::vector<Checkpoint> find_checkpoints(const std::vector<std::string>& patterns) {
  Collection collection;
  for (const std::string& pattern : patterns) {
    const std::string fixed = base::fixed_folder(pattern);
    for (const std::string& match : base::glob(pattern)) collection.add_match(match, fixed);
  }
  return collection.take();
}

}  // namespace training
