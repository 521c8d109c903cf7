#include "launcher/checkout/survey/shared_look.h"

#include "launcher/checkout/git/files.h"
#include "launcher/checkout/git/split_index.h"

namespace checkout {
namespace {

bool ends_with_zeros(std::string_view contents) {
  return contents.size() > GIT_OID_RAWSZ && only_zero_bytes(contents.substr(contents.size() - GIT_OID_RAWSZ));
}

bool is_entered(const std::string& folder) {
  return !is_object_folder(folder) && !folder.ends_with(".lock");
}

std::vector<std::string> references_below(const Listing& files, std::string_view folder, std::size_t prefix) {
  std::vector<std::string> names;
  for (const Listed& file : files.below(folder)) {
    if (may_be_reference(file)) names.push_back(file.name.substr(prefix));
  }
  return names;
}

}  // namespace

std::shared_ptr<const SharedLook> look_at(const Scene& scene) {
  if (scene.look != nullptr) return scene.look;
  auto look = std::make_shared<SharedLook>();
  look->git_files = list_below(scene.git_folder, is_entered);
  look->loose_refs = references_below(look->git_files, "refs", 0);
  look->logged_refs = references_below(look->git_files, "logs/refs", std::string_view("logs/").size());
  if (auto history = History::open(scene.git_folder)) look->history = std::move(*history);
  if (const auto contents = contents_of(scene.git_folder / "config")) {
    look->config = ConfigFile::parse(*contents, &look->config_complaint);
  }
  if (const auto contents = contents_of(scene.git_folder / "index")) {
    look->index_stat = stat_of(scene.git_folder / "index");
    look->index = parse_index(*contents);
    const bool may_go_without =
        look->config && (look->config->flag("index.skiphash") || look->config->flag("feature.manyfiles"));
    look->index_checksum_fits = ends_with_checksum(*contents) || (may_go_without && ends_with_zeros(*contents));
    if (look->index && look->index->shared) {
      auto whole = join_split_index(scene.git_folder, *look->index);
      look->index_is_whole = whole.has_value();
      if (whole) look->index = std::move(whole);
    }
  }
  look->refs = read_refs(scene.git_folder, look->loose_refs);
  look->head_value = read_head(scene.git_folder);
  if (const auto& head = look->head_value) look->head = head->id ? head->id : look->refs.resolve(head->symbolic);
  return look;
}

bool KnownSound::check(const fs::path& path, bool (*look)(const fs::path&)) {
  const auto found = stat_of(path);
  if (!found) return false;
  const State state = {found->st_ino,          found->st_size,        found->st_mtim.tv_sec,
                       found->st_mtim.tv_nsec, found->st_ctim.tv_sec, found->st_ctim.tv_nsec};
  {
    const std::scoped_lock lock(mutex_);
    const auto known = files_.find(path);
    if (known != files_.end() && known->second == state) return true;
  }
  if (!look(path)) return false;
  const std::scoped_lock lock(mutex_);
  files_[path] = state;
  return true;
}

}  // namespace checkout
