// What git derives from the objects and makes again when it wants it: commit-graphs, multi-pack-indexes, and the lists
// for those who fetch without a git on the other side. Damaged, it only hurts.
#include <fmt/format.h>

#include <sstream>

#include "launcher/checkout/git/files.h"
#include "launcher/checkout/git/object_files.h"
#include "launcher/checkout/survey/shared_look.h"

namespace checkout {
namespace {

using enum FindingKind;

// A commit-graph may name no commit that is gone, a multi-pack-index no pack.
bool names_what_is_gone(const Scene& scene, std::string_view contents) {
  if (contents.starts_with("MIDX")) {
    std::stringstream names(chunk_of(contents, "PNAM"));
    for (std::string name; std::getline(names, name, '\0');) {
      if (!name.empty() && !is_file(scene.git_folder / "objects" / "pack" / name)) return true;
    }
    return false;
  }
  const auto look = look_at(scene);
  if (!scene.deep() || !look->history) return false;
  const std::string ids = chunk_of(contents, "OIDL");
  for (std::size_t at = 0; at + GIT_OID_RAWSZ <= ids.size(); at += GIT_OID_RAWSZ) {
    git_oid id;
    git_oid_fromraw(&id, reinterpret_cast<const unsigned char*>(ids.data()) + at);
    if (!look->history->has(id)) return true;
  }
  return false;
}

// The layers of a commit-graph, each named by its hash.
bool names_a_layer(const fs::path& list, std::string_view line) {
  return id_of(line) && is_file(list.parent_path() / fmt::format("graph-{}.graph", line));
}

// What git update-server-info writes, for those who fetch from a folder of files. It may be out of date.
bool names_a_pack(const fs::path&, std::string_view line) {
  return line.empty() || (line.starts_with("P pack-") && line.ends_with(".pack"));
}

bool names_a_reference(const fs::path&, std::string_view line) {
  return line.size() > GIT_OID_HEXSZ && id_of(line.substr(0, GIT_OID_HEXSZ)) && line[GIT_OID_HEXSZ] == '\t';
}

void survey_list(const Scene& scene, const fs::path& path, FindingKind kind,
                 bool (*sound)(const fs::path&, std::string_view), Findings& findings) {
  if (!is_file(path)) return;
  const auto contents = contents_of(path);
  bool damaged = !contents || (contents->empty() && kind == kCommitGraphDamaged);
  std::string_view left = contents ? std::string_view(*contents) : std::string_view();
  while (!left.empty() && !damaged) {
    const std::size_t end = left.find('\n');
    damaged = end == std::string_view::npos || !sound(path, left.substr(0, end));
    left.remove_prefix(damaged ? left.size() : end + 1);
  }
  if (damaged) findings.push_back(make_finding(kind, where_of(scene, path), "It has lines that make no sense."));
}

// Files that end with a checksum of themselves and only repeat what the packs say.
}  // namespace

void survey_caches(const Scene& scene, Findings& findings) {
  const fs::path objects = scene.git_folder / "objects";
  const auto check = [&](const fs::path& path, FindingKind kind, std::string_view signature) {
    if (!is_file(path)) return;
    const auto contents = contents_of(path);
    if (!contents || !contents->starts_with(signature) || !checksum_matches(path)) {
      findings.push_back(make_finding(kind, where_of(scene, path), "Its checksum does not match its contents."));
    } else if (names_what_is_gone(scene, *contents)) {
      findings.push_back(make_finding(kind, where_of(scene, path), "It names what is not there any more."));
    }
  };
  check(objects / "pack" / "multi-pack-index", kMultiPackIndexDamaged, "MIDX");
  check(objects / "info" / "commit-graph", kCommitGraphDamaged, "CGPH");
  const fs::path layers = objects / "info" / "commit-graphs";
  std::error_code error;
  for (fs::directory_iterator entry(layers, error), end; !error && entry != end; entry.increment(error)) {
    if (entry->path().extension() == ".graph") check(entry->path(), kCommitGraphDamaged, "CGPH");
  }
  survey_list(scene, layers / "commit-graph-chain", kCommitGraphDamaged, names_a_layer, findings);
  survey_list(scene, objects / "info" / "packs", kPackCacheDamaged, names_a_pack, findings);
  survey_list(scene, scene.git_folder / "info" / "refs", kPackCacheDamaged, names_a_reference, findings);
}

}  // namespace checkout
