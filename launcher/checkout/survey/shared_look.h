// What several areas of a survey look at, read once.
#pragma once

#include <sys/stat.h>

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "launcher/checkout/git/config_file.h"
#include "launcher/checkout/git/history.h"
#include "launcher/checkout/git/index_file.h"
#include "launcher/checkout/git/listing.h"
#include "launcher/checkout/objects/examine.h"
#include "launcher/checkout/survey/survey.h"

namespace checkout {

struct SharedLook {
  Listing git_files;                    // of .git, but for the loose objects
  std::vector<std::string> loose_refs;  // their names, and those of references that have a log
  std::vector<std::string> logged_refs;
  std::optional<History> history;  // nullopt: there is no folder of objects
  std::optional<IndexFile> index;  // nullopt: damaged or missing
  bool index_checksum_fits = false;
  bool index_is_whole = true;  // of a split one: its other file is there, and as the index names it
  std::optional<struct stat> index_stat;
  std::optional<ConfigFile> config;  // nullopt: damaged or missing
  std::string config_complaint;
  RefTable refs;
  std::optional<RefValue> head_value;
  std::optional<git_oid> head;  // its commit
};

// That of the scene, or a new one outside of a survey.
std::shared_ptr<const SharedLook> look_at(const Scene& scene);

struct ObjectsLook {
  std::vector<LooseFile> loose;
  IdSet loose_ids;
  Examined examined;  // deep: of the loose objects
};

// Files whose checksum was found right a moment ago, so that the next survey of the same call need not read them
// again: a repair surveys many times. Any write to a file changes what it is known by.
class KnownSound {
 public:
  // Asks `look` unless it is known.
  bool check(const fs::path& path, bool (*look)(const fs::path&));

 private:
  using State = std::tuple<ino_t, off_t, time_t, long, time_t, long>;
  std::mutex mutex_;
  std::map<fs::path, State> files_;
};

}  // namespace checkout
