#include "launcher/checkout/git/files.h"
#include "launcher/checkout/survey/shared_look.h"

namespace checkout {

void survey_index(const Scene& scene, Findings& findings) {
  using enum FindingKind;
  const fs::path path = scene.git_folder / "index";
  const std::string where = where_of(scene, path);
  const auto look = look_at(scene);
  if (look->index && look->index_checksum_fits && look->index_is_whole) {
    if (look->index->shared) findings.push_back(make_finding(kSplitIndex, where, "Most of it lies in another file."));
    return;
  }
  if (is_folder(path)) return;  // told already
  if (is_nothing(path)) {
    // A repository without a commit has no index, and needs none.
    if (look->head) findings.push_back(make_finding(kIndexMissing, where, "It is missing."));
    return;
  }
  const auto contents = contents_of(path);
  if (!contents) {
    findings.push_back(make_finding(kIndexDamaged, where, "It cannot be read."));
  } else if (contents->empty()) {
    findings.push_back(make_finding(kIndexDamaged, where, "It is empty."));
  } else if (only_zero_bytes(*contents)) {
    findings.push_back(make_finding(kIndexDamaged, where, "It holds zero bytes only."));
  } else if (!look->index_checksum_fits) {
    findings.push_back(make_finding(kIndexDamaged, where, "Its checksum does not match its contents."));
  } else if (look->index && !look->index_is_whole) {
    findings.push_back(make_finding(kIndexDamaged, where, "The file that most of it lies in is gone or damaged."));
  } else if (!look->index) {
    findings.push_back(make_finding(kIndexDamaged, where, "It is not an index."));
  }
}

}  // namespace checkout
