// The object database file by file. Quick: sizes, forms and trailers. Deep: every pack and pack index is checked
// against the checksum it ends with, in parallel. What is in the files is looked at in reachable.cc.
//
// The checksum of a pack covers all its objects, and the pack was checked object by object when it arrived. So
// whatever a disk did to it since shows, at the price of one read, without inflating anything.
#include "launcher/checkout/git/object_files.h"

#include <fmt/format.h>
#include <unistd.h>

#include <mutex>

#include "launcher/checkout/git/files.h"
#include "launcher/checkout/objects/parallel.h"
#include "launcher/checkout/survey/shared_look.h"

namespace checkout {
namespace {

using enum FindingKind;

std::optional<Finding> look_at_loose(const Scene& scene, const LooseFile& file) {
  const auto found = stat_of(file.path);
  if (!found) return std::nullopt;
  const bool regular = S_ISREG(found->st_mode);
  if (regular && file.id && found->st_size > 0 && has_needed_mode(found->st_mode)) return std::nullopt;
  const std::string where = where_of(scene, file.path);
  if (!file.id) {
    return regular ? make_finding(kLeftoverFile, where, "An interrupted write left it.")
                   : make_finding(kFolderInTheWay, where, "It is not an object.");
  }
  if (!regular) return make_finding(kLooseObjectDamaged, where, "There is a folder or link in its place.");
  if (found->st_size == 0) return make_finding(kLooseObjectDamaged, where, "It is empty.");
  return make_finding(kNoPermission, where, fmt::format("Its mode is {:03o}.", found->st_mode & 07777));
}

void survey_loose(const Scene& scene, const std::vector<LooseFile>& files, Findings& findings) {
  std::mutex mutex;
  in_parallel(files.size(), [&](std::size_t i) {
    if (auto finding = look_at_loose(scene, files[i])) {
      const std::scoped_lock lock(mutex);
      findings.push_back(std::move(*finding));
    }
  });
}

bool checksum_is_right(const Scene& scene, const fs::path& path) {
  return scene.known_sound != nullptr ? scene.known_sound->check(path, checksum_matches) : checksum_matches(path);
}

std::optional<Finding> look_at_pack(const Scene& scene, const PackFiles& files) {
  const std::string pack = where_of(scene, files.pack);
  const std::string index = where_of(scene, files.index);
  if (!files.has_pack) return make_finding(kPackIndexOrphaned, index, "Its pack is gone.");
  if (!is_file(files.pack)) return make_finding(kPackDamaged, pack, "There is a folder or link in its place.");
  if (scene.deep() && !checksum_is_right(scene, files.pack)) {
    return make_finding(kPackDamaged, pack, "Its checksum does not match its contents.");
  }
  if (!files.has_index) return make_finding(kPackIndexDamaged, index, "It is missing.");
  const auto parsed = PackIndexFile::open(files.index);
  if (!parsed) return make_finding(kPackIndexDamaged, index, "It is not a pack's index.");
  if (scene.deep() && !checksum_is_right(scene, files.index)) {
    return make_finding(kPackIndexDamaged, index, "Its checksum does not match its contents.");
  }
  if (pack_ends_as_expected(files.pack, parsed->pack_checksum())) return std::nullopt;
  if (scene.deep()) return make_finding(kPackIndexDamaged, index, "It belongs to another pack.");
  return make_finding(kPackDamaged, pack, "It does not begin and end as its index says.");
}

void survey_packs(const Scene& scene, Findings& findings) {
  const auto packs = packs_of(scene.git_folder);
  std::mutex mutex;
  in_parallel(packs.size(), [&](std::size_t i) {
    if (auto finding = look_at_pack(scene, packs[i])) {
      const std::scoped_lock lock(mutex);
      findings.push_back(std::move(*finding));
    }
  });
}

std::string_view signature_of(std::string_view extension) {
  if (extension == ".rev") return "RIDX";
  if (extension == ".bitmap") return "BITM";
  if (extension == ".mtimes") return "MTME";
  return {};
}

// What git derives from a pack and keeps beside it.
void survey_beside_packs(const Scene& scene, Findings& findings) {
  std::error_code error;
  const fs::path folder = scene.git_folder / "objects" / "pack";
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const fs::path& path = entry->path();
    const std::string name = path.filename();
    const std::string where = where_of(scene, path);
    const std::string_view signature = signature_of(path.extension().string());
    if (signature.empty()) continue;
    const auto contents = is_file(path) ? contents_of(path) : std::nullopt;
    const bool pack_is_there =
        name.starts_with("multi-pack-index") || is_file(fs::path(path).replace_extension(".pack"));
    if (!contents || !contents->starts_with(signature)) {
      findings.push_back(make_finding(kPackCacheDamaged, where, "It is not what its name says."));
    } else if (!pack_is_there) {
      findings.push_back(make_finding(kPackCacheDamaged, where, "Its pack is gone."));
    } else if (scene.deep() && !checksum_is_right(scene, path)) {
      findings.push_back(make_finding(kPackCacheDamaged, where, "Its checksum does not match its contents."));
    }
  }
}

}  // namespace

ObjectsLook survey_object_files(const Scene& scene, Findings& findings) {
  ObjectsLook objects;
  objects.loose = loose_files(scene.git_folder);
  for (const LooseFile& file : objects.loose) {
    if (file.id) objects.loose_ids.insert(*file.id);
  }
  survey_loose(scene, objects.loose, findings);
  survey_packs(scene, findings);
  survey_beside_packs(scene, findings);
  const auto look = look_at(scene);
  if (scene.deep() && look->history) {
    const Examination examination{look->history->store(), objects.loose, objects.loose_ids, look->history->shallow()};
    examination.examine_loose(objects.examined);
    for (const std::size_t place : objects.examined.damaged_loose) {
      findings.push_back(make_finding(kLooseObjectDamaged, where_of(scene, objects.loose[place].path),
                                      "Its contents do not fit its name."));
    }
  }
  return objects;
}

}  // namespace checkout
