// What is still readable of a damaged pack, and nowhere else, becomes loose objects. Only what has the right hash is
// taken: what comes out is right, what does not come out is lost.
#include <fmt/format.h>
#include <git2.h>
#include <git2/odb_backend.h>
#include <git2/sys/odb_backend.h>

#include "launcher/checkout/git/object_files.h"
#include "launcher/checkout/git/pack_reader.h"
#include "launcher/checkout/treatment/treatment.h"

namespace checkout {
namespace {

// What the database has without the damaged pack.
IdSet present_without(const fs::path& git_folder, const fs::path& pack) {
  IdSet present;
  for (const LooseFile& file : loose_files(git_folder)) {
    if (file.id) present.insert(*file.id);
  }
  for (const PackFiles& other : packs_of(git_folder)) {
    if (other.pack == pack || !other.has_pack || !other.has_index) continue;
    if (const auto index = read_pack_index(other.index)) present.insert(index->ids.begin(), index->ids.end());
  }
  return present;
}

// A database of loose objects only: one that knew the damaged pack would find the object there and not write it.
base::Result<Database> loose_writer(const fs::path& git_folder) {
  git_odb* made = nullptr;
  int code = git_odb_new(&made);
  Database database(made);
  git_odb_backend* loose = nullptr;
  if (code == 0) code = git_odb_backend_loose(&loose, (git_folder / "objects").c_str(), -1, 1, 0, 0);
  if (code == 0) code = git_odb_add_backend(made, loose, 1);
  if (code < 0) return base::fail(library_error(code, "write objects to", git_folder / "objects"));
  return database;
}

}  // namespace

base::Result<int> salvage_pack(Workshop& workshop, const PackFiles& files) {
  auto contents = contents_of(files.pack);
  if (!contents) return 0;
  const auto index = files.has_index ? read_pack_index(files.index) : std::nullopt;
  const auto writer = loose_writer(workshop.scene.git_folder);
  if (!writer) return base::fail(writer.error());
  const auto history = History::open(workshop.scene.git_folder);
  if (!history) return base::fail(history.error());
  const IdSet present = present_without(workshop.scene.git_folder, files.pack);
  int saved = 0;
  std::optional<base::Error> failure;
  PackReader reader(std::move(*contents), index, [&](const git_oid& id) -> std::optional<ObjectData> {
    return present.contains(id) ? history->read(id) : std::nullopt;
  });
  reader.for_each([&](const git_oid& id, const ObjectData& object) {
    if (failure || present.contains(id)) return;
    git_oid written;
    const int code = git_odb_write(&written, writer->get(), object.bytes.data(), object.bytes.size(), object.type);
    if (code < 0) failure = library_error(code, "save an object of", files.pack);
    ++saved;
  });
  if (failure) return base::fail(*failure);
  return saved;
}

}  // namespace checkout
