#include "launcher/base/glob.h"

#include <fnmatch.h>

#include <algorithm>
#include <filesystem>
#include <set>

namespace base {

namespace fs = std::filesystem;

bool has_wildcard(std::string_view text) {
  return text.find_first_of("*?[") != std::string_view::npos;
}

static std::vector<std::string> split_path(const std::string& pattern) {
  std::vector<std::string> parts;
  for (const fs::path& part : fs::path(pattern).relative_path()) {
    if (!part.empty()) parts.push_back(part.string());
  }
  return parts;
}

namespace {

class Walk {
 public:
  Walk(std::vector<std::string> parts, std::size_t entries_max) : parts_(std::move(parts)), left_(entries_max) {}

  void visit(const fs::path& folder, std::size_t index) {
    if (index == parts_.size()) {
      found_.insert(folder.string());
      return;
    }
    const std::string& part = parts_[index];
    if (part == "**") return visit_any_depth(folder, index);
    if (!has_wildcard(part)) {
      std::error_code code;
      if (fs::exists(fs::symlink_status(folder / part, code))) visit(folder / part, index + 1);
      return;
    }
    for_each_entry(folder, [&](const fs::directory_entry& entry) {
      if (::fnmatch(part.c_str(), entry.path().filename().c_str(), FNM_PERIOD) == 0) visit(entry.path(), index + 1);
    });
  }

  std::vector<std::string> take() { return {found_.begin(), found_.end()}; }

 private:
  void visit_any_depth(const fs::path& folder, std::size_t index) {
    visit(folder, index + 1);
    for_each_entry(folder, [&](const fs::directory_entry& entry) {
      std::error_code code;
      const bool hidden = entry.path().filename().string().starts_with(".");
      if (!hidden && entry.is_directory(code) && !entry.is_symlink(code)) visit_any_depth(entry.path(), index);
    });
  }

  template <class Action>
  void for_each_entry(const fs::path& folder, Action action) {
    std::error_code code;
    for (fs::directory_iterator entry(folder, code), end; !code && entry != end; entry.increment(code)) {
      if (left_ == 0) return;
      --left_;
      action(*entry);
    }
  }

  std::vector<std::string> parts_;
  std::size_t left_;
  std::set<std::string> found_;
};

}  // namespace

std::vector<std::string> glob(const std::string& pattern, std::size_t entries_max) {
  Walk walk(split_path(pattern), entries_max);
  walk.visit(fs::path(pattern).is_absolute() ? fs::path("/") : fs::path("."), 0);
  return walk.take();
}

std::string fixed_folder(const std::string& pattern) {
  fs::path folder = fs::path(pattern).is_absolute() ? "/" : "";
  const std::vector<std::string> parts = split_path(pattern);
  for (std::size_t i = 0; i + 1 < parts.size() && !has_wildcard(parts[i]); ++i) folder /= parts[i];
  return folder.string();
}

}  // namespace base
