// The object database file by file. Quick: sizes, forms and trailers. Deep: every loose object is inflated and hashed,
// and every pack and pack index is checked against the checksum it ends with, in parallel.
//
// The checksum of a pack covers all its objects, and the pack was checked object by object when it arrived. So
// whatever a disk did to it since shows, at the price of one read, without inflating anything.
#include "launcher/checkout/git/object_files.h"

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <mutex>

#include "launcher/checkout/git/files.h"
#include "launcher/checkout/survey/parallel.h"
#include "launcher/checkout/survey/survey.h"

namespace checkout {
namespace {

using enum FindingKind;

void survey_loose_quickly(const Scene& scene, const std::vector<LooseFile>& files, Findings& findings) {
  for (const LooseFile& file : files) {
    const auto found = stat_of(file.path);
    if (!found) continue;
    const std::string where = where_of(scene, file.path);
    if (!file.id) {
      findings.push_back(S_ISREG(found->st_mode) ? make_finding(kLeftoverFile, where, "An interrupted write left it.")
                                                 : make_finding(kFolderInTheWay, where, "It is not an object."));
    } else if (!S_ISREG(found->st_mode)) {
      findings.push_back(make_finding(kLooseObjectDamaged, where, "There is a folder or link in its place."));
    } else if (found->st_size == 0) {
      findings.push_back(make_finding(kLooseObjectDamaged, where, "It is empty."));
    } else if (::access(file.path.c_str(), R_OK) != 0) {
      findings.push_back(make_finding(kNoPermission, where, "It cannot be read."));
    }
  }
}

void survey_loose_deeply(const Scene& scene, const std::vector<LooseFile>& files, Findings& findings) {
  std::mutex mutex;
  in_parallel(files.size(), [&](std::size_t i) {
    const LooseFile& file = files[i];
    const auto found = stat_of(file.path);
    if (!file.id || !found || !S_ISREG(found->st_mode) || found->st_size == 0) return;
    if (loose_object_is_sound(file.path, *file.id)) return;
    const std::scoped_lock lock(mutex);
    findings.push_back(
        make_finding(kLooseObjectDamaged, where_of(scene, file.path), "Its contents do not fit its name."));
  });
}

std::optional<Finding> look_at_pack(const Scene& scene, const PackFiles& files) {
  const std::string pack = where_of(scene, files.pack);
  const std::string index = where_of(scene, files.index);
  if (!files.has_pack) return make_finding(kPackIndexOrphaned, index, "Its pack is gone.");
  if (!is_file(files.pack)) return make_finding(kPackDamaged, pack, "There is a folder or link in its place.");
  const bool deep = scene.depth == Depth::kDeep;
  const bool pack_is_sound = deep ? checksum_matches(files.pack) : true;
  if (!pack_is_sound) return make_finding(kPackDamaged, pack, "Its checksum does not match its contents.");
  if (!files.has_index) return make_finding(kPackIndexDamaged, index, "It is missing.");
  const auto parsed = read_pack_index(files.index);
  if (!parsed) return make_finding(kPackIndexDamaged, index, "It is not a pack's index.");
  if (deep && !checksum_matches(files.index)) {
    return make_finding(kPackIndexDamaged, index, "Its checksum does not match its contents.");
  }
  if (pack_ends_as_expected(files.pack, parsed->pack_checksum)) return std::nullopt;
  if (deep) return make_finding(kPackIndexDamaged, index, "It belongs to another pack.");
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
  std::error_code error;
  const fs::path folder = scene.git_folder / "objects" / "pack";
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename();
    if (!name.starts_with("tmp_") && !name.starts_with("pack_git2_")) continue;
    findings.push_back(make_finding(kLeftoverFile, where_of(scene, entry->path()), "An interrupted write left it."));
  }
}

}  // namespace

void survey_object_files(const Scene& scene, Findings& findings) {
  const auto files = loose_files(scene.git_folder);
  survey_loose_quickly(scene, files, findings);
  if (scene.depth == Depth::kDeep) survey_loose_deeply(scene, files, findings);
  survey_packs(scene, findings);
}

}  // namespace checkout
