// A checkpoint of several files is whole when each of them is, and when none is missing. What should be there says an
// index ("*.index.json" names every shard), the shards' own names ("-00001-of-00004"), or PyTorch's distributed
// checkpoint, which writes ".metadata" last and names its data files in it. Where other folders beside it carry a mark
// of completion and this one does not, it was not finished.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <regex>
#include <set>

#include "launcher/base/files.h"
#include "launcher/training/checkpoints/checkpoint.h"

namespace training {

namespace fs = std::filesystem;

static constexpr std::array<std::string_view, 8> kMarks = {"_SUCCESS", "_COMPLETE", ".complete", "COMPLETE",
                                                           ".done",    "DONE",      ".finished", "checkpoint_complete"};

static std::string mark_in(const fs::path& folder) {
  for (const std::string_view mark : kMarks) {
    std::error_code code;
    if (fs::exists(folder / mark, code)) return std::string(mark);
  }
  return {};
}

std::string completion_mark(const Checkpoint& checkpoint) {
  return checkpoint.is_folder ? mark_in(checkpoint.path) : std::string();
}

// Marks and locks are empty in whole checkpoints, too.
static bool may_be_empty(const fs::path& file) {
  static const std::set<std::string> kFilled = {".pt",     ".pth", ".bin", ".ckpt", ".safetensors",
                                                ".distcp", ".npz", ".zip", ".json"};
  return !kFilled.contains(file.extension().string()) && file.filename() != ".metadata";
}

static std::string torn_file(const std::vector<fs::path>& files, bool in_folder, const Closeness& closeness) {
  for (const fs::path& file : files) {
    std::error_code code;
    if (in_folder && may_be_empty(file) && fs::file_size(file, code) == 0) continue;
    const std::string torn = what_is_torn(file, closeness);
    if (torn.empty()) continue;
    return files.size() > 1 || in_folder ? file.filename().string() + ": " + torn : torn;
  }
  return {};
}

// "model-00002-of-00003.bin" says that there are model-00001-of-00003.bin and model-00003-of-00003.bin.
static std::string missing_shard(const std::vector<fs::path>& files) {
  static const std::regex shard(R"((.*[-_.])(\d+)-of-(\d+)(.*))");
  std::set<std::string> counted;
  for (const fs::path& file : files) {
    const std::string name = file.filename().string();
    std::smatch match;
    if (name.size() > 255 || !std::regex_match(name, match, shard) || match[3].length() > 6) continue;
    const int count = std::stoi(match[3].str());
    if (!counted.insert((file.parent_path() / match[1].str()).string() + match[4].str()).second) continue;
    const auto width = static_cast<int>(match[2].length());
    // Some count from 0, most from 1.
    const auto named = [&](int number) {
      return file.parent_path() /
             fmt::format("{}{:0{}}-of-{}{}", match[1].str(), number, width, match[3].str(), match[4].str());
    };
    std::error_code code;
    const int first = fs::exists(named(0), code) ? 0 : 1;
    for (int number = first; number < first + count; ++number) {
      if (!fs::exists(named(number), code)) return fmt::format("{} is missing", named(number).filename().string());
    }
  }
  return {};
}

static std::string torn_distributed(const Checkpoint& checkpoint) {
  std::set<fs::path> folders;
  for (const fs::path& file : checkpoint.files) {
    if (file.extension() == ".distcp") folders.insert(file.parent_path());
  }
  static const std::regex data_file(R"(__\d+_\d+\.distcp)");
  for (const fs::path& folder : folders) {
    const auto metadata = base::read_file((folder / ".metadata").string(), 256U << 20);
    if (!metadata) return ".metadata is missing: it is written last, so the save was not finished";
    for (std::sregex_iterator name(metadata->begin(), metadata->end(), data_file), end; name != end; ++name) {
      std::error_code code;
      if (!fs::exists(folder / name->str(), code)) return fmt::format("{} is missing", name->str());
    }
  }
  return {};
}

static std::string missing_mark(const Checkpoint& checkpoint) {
  if (!mark_in(checkpoint.path).empty()) return {};
  constexpr int kLookedAtMax = 100;
  std::error_code code;
  int looked_at = 0;
  for (fs::directory_iterator entry(checkpoint.path.parent_path(), code), end; !code && entry != end;
       entry.increment(code)) {
    if (++looked_at > kLookedAtMax) break;
    std::error_code ignored;
    const bool alike = entry->is_directory(ignored) && number_in_name(entry->path().filename().string()).has_value();
    if (const std::string mark = alike ? mark_in(entry->path()) : ""; !mark.empty())
      return fmt::format("it has no {}, and {} beside it has one: the save was not finished", mark,
                         entry->path().filename().string());
  }
  return {};
}

std::string what_is_torn(const Checkpoint& checkpoint, const Closeness& closeness) {
  if (checkpoint.is_folder && checkpoint.files.empty()) return "an empty folder";
  if (std::string torn = torn_distributed(checkpoint); !torn.empty()) return torn;
  if (std::string torn = missing_shard(checkpoint.files); !torn.empty()) return torn;
  if (std::string torn = checkpoint.is_folder ? missing_mark(checkpoint) : ""; !torn.empty()) return torn;
  // Each file at its surface before any in depth: what is cheap to see is seen first.
  if (std::string torn = torn_file(checkpoint.files, checkpoint.is_folder, {}); !torn.empty()) return torn;
  return closeness.checksums ? torn_file(checkpoint.files, checkpoint.is_folder, closeness) : std::string();
}

}  // namespace training
