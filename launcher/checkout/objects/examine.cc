// A pack is gone through in the order of its offsets, since git writes an object's deltas close behind it: with a few
// megabytes of the objects read last, nearly every base is at hand. Stretches of it are independent, so threads share
// them out; at the start of a stretch some bases are built twice.
//
// Which entries are blobs is known without reading them: a delta is of its base's type, and a base that is named by a
// distance lies before it. Blobs name nothing, and what holds them is covered by the pack's checksum; so they are left
// alone unless every object is to be hashed. That is most of a repository's bytes.
//
// The links are asked one by one and not followed. In a tree of one version nearly all are those of the version before,
// so each stretch remembers the ids it saw last.
#include "launcher/checkout/objects/examine.h"

#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <mutex>

#include "launcher/checkout/objects/links.h"
#include "launcher/checkout/objects/parallel.h"

namespace checkout {
namespace {

constexpr std::size_t kRememberedIds = std::size_t{1} << 15;
constexpr std::size_t kStretchEntries = 4096;
constexpr std::uint64_t kReadAtOnceMax = std::uint64_t{16} << 20;

struct Entry {
  std::uint64_t offset = 0;
  std::uint32_t place = 0;  // in the index
  git_object_t type = GIT_OBJECT_INVALID;
};

class LinkCheck {
 public:
  // `objects`: of how many the links are asked; so many ids are worth remembering.
  LinkCheck(const Examination& examination, std::size_t objects)
      : examination_(examination), remembered_(std::min(kRememberedIds, std::bit_ceil(objects))) {}

  bool lands(const git_oid& id) {
    git_oid& slot = remembered_[IdHash()(id) % remembered_.size()];
    if (same_id(slot, id)) return true;
    const auto& packs = examination_.store.packs();
    const bool there =
        std::any_of(packs.begin(), packs.end(), [&](const auto& pack) { return pack->index.find(id).has_value(); }) ||
        examination_.loose_ids.contains(id) || examination_.store.has(id);
    if (there) slot = id;
    return there;
  }
  bool all_land(const git_oid& id, const ObjectData& object) {
    return for_each_link(object, examination_.shallow.contains(id), [&](const git_oid& link) { return lands(link); });
  }

 private:
  const Examination& examination_;
  std::vector<git_oid> remembered_;
};

// In the order of offsets. A type that stays invalid was not found out.
std::vector<Entry> entries_of(const StoredPack& stored) {
  std::vector<Entry> entries;
  entries.reserve(stored.index.size());
  for (std::size_t i = 0; i < stored.index.size(); ++i) {
    const auto offset = stored.index.offset(i);
    entries.push_back({offset.value_or(stored.pack.size()), static_cast<std::uint32_t>(i), GIT_OBJECT_INVALID});
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.offset < b.offset; });
  for (Entry& entry : entries) {
    const auto header = stored.pack.header_at(entry.offset);
    if (!header) continue;
    if (header->base_offset) {
      const auto base = std::lower_bound(entries.begin(), entries.end(), *header->base_offset,
                                         [](const Entry& one, std::uint64_t offset) { return one.offset < offset; });
      if (base != entries.end() && base->offset == *header->base_offset) entry.type = base->type;
    } else if (!header->base_id) {
      entry.type = static_cast<git_object_t>(header->type);
    }
  }
  return entries;
}

}  // namespace

void Examination::examine_loose(Examined& found) const {
  std::mutex mutex;
  std::atomic<bool> lands = true;
  in_parallel(loose.size(), [&](std::size_t i) {
    const LooseFile& file = loose[i];
    struct stat status;
    if (!file.id || ::lstat(file.path.c_str(), &status) != 0 || !S_ISREG(status.st_mode) || status.st_size == 0) return;
    bool sound = true;
    if (static_cast<std::uint64_t>(status.st_size) > kReadAtOnceMax) {
      sound = loose_object_is_sound(file.path, *file.id);
      lands = false;  // not looked into: the walk tells
    } else if (const auto object = read_loose_object(file.path, *file.id)) {
      if (object->type != GIT_OBJECT_BLOB && !LinkCheck(*this, 1).all_land(*file.id, *object)) lands = false;
    } else {
      sound = false;
    }
    if (sound) return;
    const std::scoped_lock lock(mutex);
    found.damaged_loose.push_back(i);
  });
  found.every_link_lands = found.every_link_lands && lands && found.damaged_loose.empty();
}

void Examination::examine_packs(bool hash_all, Examined& found) const {
  for (const auto& stored : store.packs()) {
    stored->pack.map();
    const auto entries = entries_of(*stored);
    const std::size_t stretches = (entries.size() + kStretchEntries - 1) / kStretchEntries;
    std::atomic<bool> lands = true;
    std::atomic<bool> sound = true;
    in_parallel(stretches, [&](std::size_t stretch) {
      Decoder decoder;
      LinkCheck links(*this, entries.size());
      const std::size_t end = std::min(entries.size(), (stretch + 1) * kStretchEntries);
      for (std::size_t i = stretch * kStretchEntries; i < end; ++i) {
        const Entry& entry = entries[i];
        if (entry.type == GIT_OBJECT_BLOB && !hash_all) continue;
        const git_oid id = stored->index.id(entry.place);
        const ObjectPointer object = store.read_packed(*stored, entry.offset, decoder);
        if (object == nullptr || (hash_all && !same_id(id_of_object(*object), id))) {
          sound = false;
        } else if (!links.all_land(id, *object)) {
          lands = false;
        }
      }
    });
    if (!sound) found.damaged_packs.push_back(stored.get());
    found.every_link_lands = found.every_link_lands && lands && sound;
  }
}

}  // namespace checkout
