// The damage catalogue, applied to the repository of a World.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <yaml-cpp/yaml.h>

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "checkout_world.h"

namespace checkout {

struct DamageEntry {
  std::string id;
  std::string finding;
  std::set<std::string> destroys;
  YAML::Node operations;
};

inline std::vector<DamageEntry> read_catalogue() {
  std::vector<DamageEntry> entries;
  for (const YAML::Node& node : YAML::LoadFile(PROJECT_SOURCE_DIR "/fixtures/damage/catalogue.yaml")) {
    DamageEntry entry{node["id"].as<std::string>(), node["finding"].as<std::string>(), {}, node["do"]};
    if (node["destroys"]) {
      for (const YAML::Node& mark : node["destroys"]) entry.destroys.insert(mark.as<std::string>());
    }
    entries.push_back(entry);
  }
  return entries;
}

class Damager {
 public:
  explicit Damager(fs::path checkout) : root_(std::move(checkout)) {}

  // The file that a path of the catalogue names; nullopt when this repository has none.
  std::optional<fs::path> locate(const std::string& named) const {
    if (named.starts_with("object:")) {
      const Said said = shell("git -C " + root_.string() + " rev-parse --verify -q '" + named.substr(7) + "'");
      if (said.status != 0) return std::nullopt;
      const fs::path path = root_ / ".git/objects" / said.output.substr(0, 2) / said.output.substr(2, 38);
      return fs::exists(path) ? std::optional(path) : std::nullopt;
    }
    if (const auto extension = extension_beside_pack(named)) {
      auto pack = largest_in(".git/objects/pack", "pack-", ".pack");
      if (pack) pack->replace_extension(*extension);
      return pack;
    }
    if (named == "pack-times:") return largest_in(".git/objects/pack", "pack-", ".mtimes");
    if (named == "commit-graph-layer:") return largest_in(".git/objects/info/commit-graphs", "graph-", ".graph");
    if (named == "shared-index:") return largest_in(".git", "sharedindex.", {});
    return root_ / named;
  }

  // False: it does not apply here, and nothing was changed.
  bool apply(const YAML::Node& operations) const {
    std::vector<std::pair<YAML::Node, std::string>> steps;
    for (const YAML::Node& step : operations) {
      for (const std::string verb : {"delete", "empty", "truncate", "zero", "flip", "write", "copy", "folder", "mkdir",
                                     "link", "chmod", "git"}) {
        if (step[verb]) steps.emplace_back(step, verb);
      }
    }
    for (const auto& [step, verb] : steps) {
      if (verb != "git") continue;
      if (shell("git -C " + root_.string() + " " + step["git"].as<std::string>()).status != 0) return false;
    }
    // Objects are named by references, which an earlier step may damage: all files are found first.
    std::vector<std::optional<fs::path>> files;
    for (const auto& [step, verb] : steps) {
      files.push_back(verb == "git" ? std::optional(root_) : locate(step[verb].as<std::string>()));
    }
    std::set<fs::path> made;
    for (std::size_t i = 0; i < steps.size(); ++i) {
      const auto& [step, verb] = steps[i];
      const bool makes = verb == "write" || verb == "mkdir" || verb == "link" || verb == "git" || verb == "copy";
      const bool needs_file = !makes || step["existing"];
      if (!files[i]) return false;
      if (needs_file && !made.contains(*files[i]) && !fs::exists(fs::symlink_status(*files[i]))) return false;
      if (verb == "copy" && (!fs::exists(*files[i]) || !locate(step["to"].as<std::string>()))) return false;
      if (makes) made.insert(verb == "copy" ? *locate(step["to"].as<std::string>()) : *files[i]);
    }
    for (std::size_t i = 0; i < steps.size(); ++i) run(steps[i].first, steps[i].second, *files[i]);
    return true;
  }

  static void empty(const fs::path& path) { replace(path, ""); }
  static void truncate(const fs::path& path) { replace(path, read_text(path).substr(0, fs::file_size(path) / 2)); }
  static void zero(const fs::path& path) { replace(path, std::string(fs::file_size(path), '\0')); }
  static void flip(const fs::path& path) {
    std::string contents = read_text(path);
    if (!contents.empty()) contents[contents.size() / 2] = static_cast<char>(contents[contents.size() / 2] ^ 0x10);
    replace(path, contents);
  }
  static void folder(const fs::path& path) {
    fs::remove_all(path);
    write_file(path / "inside", "in the way\n");
  }

 private:
  static std::optional<std::string> extension_beside_pack(const std::string& named) {
    static const std::map<std::string, std::string> extensions = {
        {"pack:", ".pack"}, {"pack-index:", ".idx"}, {"pack-reverse-index:", ".rev"}, {"pack-bitmap:", ".bitmap"}};
    const auto found = extensions.find(named);
    return found == extensions.end() ? std::nullopt : std::optional(found->second);
  }

  std::optional<fs::path> largest_in(const std::string& folder, std::string_view prefix,
                                     const std::optional<std::string>& extension) const {
    std::optional<fs::path> largest;
    std::error_code error;
    for (fs::directory_iterator entry(root_ / folder, error), end; !error && entry != end; ++entry) {
      const fs::path& path = entry->path();
      if (!path.filename().string().starts_with(prefix) || (extension && path.extension() != *extension)) continue;
      if (!largest || fs::file_size(path) > fs::file_size(*largest)) largest = path;
    }
    return largest;
  }

  static void replace(const fs::path& path, const std::string& contents) {
    fs::permissions(path, fs::perms::owner_write | fs::perms::owner_read, fs::perm_options::add);
    std::ofstream(path, std::ios::binary | std::ios::trunc) << contents;
  }

  void run(const YAML::Node& step, const std::string& verb, const fs::path& path) const {
    struct stat before {};
    ::lstat(path.c_str(), &before);
    if (verb == "delete") fs::remove_all(path);
    if (verb == "empty") empty(path);
    if (verb == "zero") zero(path);
    if (verb == "flip") flip(path);
    if (verb == "folder") folder(path);
    if (verb == "mkdir") fs::create_directories(path);
    if (verb == "write") write_file(path, step["text"].as<std::string>());
    if (verb == "link") fs::create_symlink(step["target"].as<std::string>(), path);
    if (verb == "chmod") fs::permissions(path, static_cast<fs::perms>(step["mode"].as<int>()));
    if (verb == "truncate" && step["by"]) {
      const std::string contents = read_text(path);
      replace(path, contents.substr(0, contents.size() - std::min(contents.size(), step["by"].as<std::size_t>())));
    } else if (verb == "truncate") {
      truncate(path);
    }
    if (verb == "copy") {
      const fs::path to = *locate(step["to"].as<std::string>());
      if (fs::exists(to)) fs::permissions(to, fs::perms::owner_write, fs::perm_options::add);
      fs::copy_file(path, to, fs::copy_options::overwrite_existing);
    }
    if (step["keep_times"]) {
      const struct timespec times[2] = {before.st_atim, before.st_mtim};
      ::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW);
    }
  }

  fs::path root_;
};

}  // namespace checkout
