#include "launcher/checkout/objects/store.h"

#include <sys/stat.h>

#include <algorithm>

#include "launcher/checkout/objects/loose.h"

namespace checkout {

namespace fs = std::filesystem;

namespace {

constexpr int kBaseDepthMax = 4096;

std::vector<fs::path> pack_paths(const fs::path& objects) {
  std::vector<fs::path> paths;
  std::error_code error;
  for (fs::directory_iterator entry(objects / "pack", error), end; !error && entry != end; entry.increment(error)) {
    const fs::path& path = entry->path();
    if (path.extension() == ".pack" && path.filename().string().starts_with("pack-")) paths.push_back(path);
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace

ObjectStore ObjectStore::open(const fs::path& git_folder) {
  ObjectStore store;
  store.folders_ = {git_folder / "objects"};
  for (const fs::path& alternate : alternates_of(git_folder)) store.folders_.push_back(alternate);
  for (const fs::path& folder : store.folders_) {
    for (const fs::path& path : pack_paths(folder)) {
      auto index = PackIndexFile::open(fs::path(path).replace_extension(".idx"));
      auto pack = index ? Pack::open(path) : std::nullopt;
      if (!pack) continue;
      store.packs_.push_back(std::make_unique<StoredPack>(StoredPack{path, std::move(*index), std::move(*pack)}));
    }
  }
  return store;
}

std::optional<fs::path> ObjectStore::loose_path(const git_oid& id) const {
  const std::string hex = hex_of(id);
  for (const fs::path& folder : folders_) {
    std::string path = folder.string();
    path.append("/").append(hex, 0, 2).append("/").append(hex, 2);
    struct stat found;
    if (::lstat(path.c_str(), &found) == 0 && S_ISREG(found.st_mode)) return path;
  }
  return std::nullopt;
}

bool ObjectStore::has(const git_oid& id) const {
  const bool packed =
      std::any_of(packs_.begin(), packs_.end(), [&](const auto& stored) { return stored->index.find(id).has_value(); });
  return packed || loose_path(id).has_value();
}

ObjectPointer ObjectStore::read_packed(const StoredPack& from, std::uint64_t offset, Decoder& decoder) const {
  return from.pack.read(offset, decoder, &from.index, [&](const git_oid& base) -> ObjectPointer {
    // A base in another file; one that lies in this pack was found there.
    for (const auto& other : packs_) {
      if (other.get() == &from) continue;
      const auto place = other->index.find(base);
      const auto base_offset = place ? other->index.offset(*place) : std::nullopt;
      if (!base_offset) continue;
      if (auto object = other->pack.read(*base_offset, decoder, &other->index, nullptr)) return object;
    }
    const auto path = loose_path(base);
    auto loose = path ? read_loose_object(*path, base) : std::nullopt;
    return loose ? std::make_shared<ObjectData>(std::move(*loose)) : nullptr;
  });
}

ObjectPointer ObjectStore::read(const git_oid& id, Decoder& decoder) const {
  for (const auto& stored : packs_) {
    const auto place = stored->index.find(id);
    const auto offset = place ? stored->index.offset(*place) : std::nullopt;
    if (!offset) continue;
    auto object = read_packed(*stored, *offset, decoder);
    if (object != nullptr && same_id(id_of_object(*object), id)) return object;
  }
  const auto path = loose_path(id);
  auto loose = path ? read_loose_object(*path, id) : std::nullopt;
  return loose ? std::make_shared<ObjectData>(std::move(*loose)) : nullptr;
}

std::optional<git_object_t> ObjectStore::type_of(const git_oid& id, Decoder& decoder) const {
  for (const auto& stored : packs_) {
    const auto place = stored->index.find(id);
    auto offset = place ? stored->index.offset(*place) : std::nullopt;
    for (int depth = 0; offset && depth < kBaseDepthMax; ++depth) {
      const auto header = stored->pack.header_at(*offset);
      if (!header) break;
      if (!header->base_offset && !header->base_id) return static_cast<git_object_t>(header->type);
      const auto base = header->base_id ? stored->index.find(*header->base_id) : std::nullopt;
      offset = base ? stored->index.offset(*base) : header->base_offset;
    }
  }
  const auto object = read(id, decoder);
  return object != nullptr ? std::optional(object->type) : std::nullopt;
}

std::vector<fs::path> alternates_of(const fs::path& git_folder) {
  std::vector<fs::path> folders;
  const auto contents = read_whole(git_folder / "objects" / "info" / "alternates");
  if (!contents) return folders;
  std::size_t start = 0;
  while (start < contents->size()) {
    std::size_t end = contents->find('\n', start);
    if (end == std::string::npos) end = contents->size();
    const std::string line = contents->substr(start, end - start);
    start = end + 1;
    if (line.empty() || line[0] == '#' || line.find('\0') != std::string::npos) continue;
    const fs::path named(line);
    folders.push_back(named.is_absolute() ? named : (git_folder / "objects" / named).lexically_normal());
  }
  return folders;
}

}  // namespace checkout
