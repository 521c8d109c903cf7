// Object files that are damaged on their own: loose objects, packs, pack indexes.
//
// Git and libgit2 skip writing an object whose path exists. So a bad file must be out of the way before anything can
// bring its object back.
#include <fmt/format.h>
#include <git2.h>

#include <array>
#include <fstream>

#include "launcher/checkout/git/object_files.h"
#include "launcher/checkout/treatment/treatment.h"

namespace checkout {
namespace {

using enum FindingKind;

PackFiles pack_files(const fs::path& either) {
  PackFiles files;
  files.pack = fs::path(either).replace_extension(".pack");
  files.index = fs::path(either).replace_extension(".idx");
  files.has_pack = is_file(files.pack);
  files.has_index = is_file(files.index);
  return files;
}

base::Result<void> put_pack_away(Workshop& workshop, const PackFiles& files, std::string_view why) {
  // The index first: without it nobody looks into the pack.
  if (auto moved = workshop.put_away(files.index, why); !moved) return moved;
  for (const std::string_view extension : {".rev", ".bitmap", ".mtimes", ".keep"}) {
    if (auto moved = workshop.put_away(fs::path(files.pack).replace_extension(extension), why); !moved) return moved;
  }
  return workshop.put_away(files.pack, why);
}

base::Result<bool> treat_pack(Workshop& workshop, const PackFiles& files) {
  if (const auto grafted = graft(workshop); !grafted) return base::fail(grafted.error());
  const auto saved = salvage_pack(workshop, files);
  if (!saved) return base::fail(saved.error());
  if (auto moved = put_pack_away(workshop, files, "damaged"); !moved) return base::fail(moved.error());
  workshop.did(
      fmt::format("Put the damaged {} away and saved {} objects of it.", where_of(workshop.scene, files.pack), *saved));
  return true;
}

// libgit2's indexer reads the whole pack, and refuses one that is damaged.
base::Result<fs::path> index_again(Workshop& workshop, const fs::path& pack) {
  auto folder = workshop.folder.fresh_staging_path("index");
  if (!folder) return folder;
  if (auto made = make_folders(*folder); !made) return base::fail(made.error());
  git_indexer* made = nullptr;
  git_indexer_progress progress{};
  int code = git_indexer_new(&made, folder->c_str(), 0, nullptr, nullptr);
  const Indexer indexer(made);
  std::ifstream input(pack, std::ios::binary);
  std::vector<char> chunk(1 << 20);
  while (code == 0 && input) {
    input.read(chunk.data(), static_cast<std::streamsize>(chunk.size()));
    if (input.gcount() == 0) break;
    code = git_indexer_append(indexer.get(), chunk.data(), static_cast<std::size_t>(input.gcount()), &progress);
  }
  if (code == 0) code = git_indexer_commit(indexer.get(), &progress);
  if (code < 0) return base::fail(library_error(code, "index the pack", pack));
  for (const fs::directory_entry& entry : fs::directory_iterator(*folder)) {
    if (entry.path().extension() == ".idx") return entry.path();
  }
  return base::fail(library_error(-1, "find the new index of the pack", pack));
}

base::Result<bool> treat_pack_index(Workshop& workshop, const PackFiles& files) {
  if (!files.has_pack) return false;
  const auto index = index_again(workshop, files.pack);
  if (!index && index.error().code == base::ErrorCode::kNoSpace) return base::fail(index.error());
  if (!index) return treat_pack(workshop, files);
  if (auto moved = workshop.put_away(files.index, "damaged"); !moved) return base::fail(moved.error());
  if (auto moved = rename_durably(*index, files.index); !moved) return base::fail(moved.error());
  workshop.did(fmt::format("Indexed {} again.", where_of(workshop.scene, files.pack)));
  return true;
}

bool is_sound_pair(const fs::path& pack) {
  const fs::path index = fs::path(pack).replace_extension(".idx");
  return is_file(pack) && is_file(index) && checksum_matches(pack) && checksum_matches(index);
}

}  // namespace

base::Result<int> move_packs(const fs::path& from, const fs::path& to) {
  if (auto made = make_folders(to); !made) return base::fail(made.error());
  int count = 0;
  std::vector<fs::path> packs;
  std::error_code error;
  for (fs::directory_iterator entry(from, error), end; !error && entry != end; entry.increment(error)) {
    if (entry->path().extension() == ".pack") packs.push_back(entry->path());
  }
  for (const fs::path& pack : packs) {
    std::string stem = pack.stem();
    if (is_sound_pair(to / pack.filename())) continue;  // the same contents
    // A pack is named after its contents: the damaged one may bear the very name. It must not be replaced, since what
    // is readable of it is still to be saved, so the new one gets a longer name.
    while (!is_nothing(to / (stem + ".pack")) || !is_nothing(to / (stem + ".idx"))) stem += "-1";
    // The pack before its index: an index without its pack would be damage.
    for (const std::string_view extension : {".pack", ".idx"}) {
      const fs::path file = fs::path(pack).replace_extension(extension);
      if (auto moved = rename_durably(file, to / (stem + std::string(extension))); !moved) {
        return base::fail(moved.error());
      }
    }
    ++count;
  }
  return count;
}

base::Result<bool> treat_object_file(Workshop& workshop, const Finding& finding) {
  const fs::path path = workshop.in_checkout(finding.where);
  switch (finding.kind) {
    case kLooseObjectDamaged:
      if (auto moved = workshop.put_away(path, "a damaged object"); !moved) return base::fail(moved.error());
      workshop.did(fmt::format("Put the damaged object {} away.", finding.where));
      return true;
    case kPackIndexOrphaned:
      if (const auto grafted = graft(workshop); !grafted) return base::fail(grafted.error());
      if (auto moved = put_pack_away(workshop, pack_files(path), "its pack is gone"); !moved) {
        return base::fail(moved.error());
      }
      workshop.did(fmt::format("Put {} away, whose pack is gone.", finding.where));
      return true;
    case kPackDamaged:
      return treat_pack(workshop, pack_files(path));
    case kPackIndexDamaged:
      return treat_pack_index(workshop, pack_files(path));
    default:
      return false;
  }
}

base::Result<bool> graft(Workshop& workshop) {
  if (workshop.upstream_refs) return true;
  if (workshop.remote_error) return false;
  if (workshop.remote.url.empty()) {
    workshop.remote_error = base::invalid_input("this repository has no remote", "Name one with --repo.");
    return false;
  }
  const auto side = workshop.folder.fresh_staging_path("side.git");
  if (!side) return base::fail(side.error());
  git_repository* made = nullptr;
  const int code = git_repository_init(&made, side->c_str(), 1);
  const Repository repository(made);
  if (code < 0) return base::fail(library_error(code, "make a side clone in", *side));
  RemoteSettings settings = workshop.remote;
  settings.history_depth = 0;
  auto fetched = fetch(*side, settings, Fetch::kEverything);
  if (!fetched && fetched.error().code == base::ErrorCode::kNotFound && !settings.ref.empty()) {
    settings.ref.clear();  // the wanted ref may be gone upstream; its objects may still be wanted
    fetched = fetch(*side, settings, Fetch::kEverything);
  }
  if (!fetched) {
    if (fetched.error().code == base::ErrorCode::kNoSpace) return base::fail(fetched.error());
    workshop.remote_error = fetched.error();
    return false;
  }
  RefTable refs = read_refs(*side);
  const auto moved = move_packs(*side / "objects" / "pack", workshop.in_git("objects/pack"));
  if (!moved) return base::fail(moved.error());
  workshop.upstream_refs = std::move(refs);
  workshop.did("Fetched the remote's objects into a side clone and grafted them in.");
  return true;
}

}  // namespace checkout
