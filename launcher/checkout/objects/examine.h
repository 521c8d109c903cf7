// Everything that the object database says, checked against itself.
#pragma once

#include <vector>

#include "launcher/checkout/objects/loose.h"
#include "launcher/checkout/objects/store.h"

namespace checkout {

struct Examined {
  std::vector<std::size_t> damaged_loose;        // places in `loose`
  std::vector<const StoredPack*> damaged_packs;  // an object of theirs cannot be read, or has the wrong hash
  // Each id that a commit, tree or tag of the database names is the id of something in it. Then everything that is
  // reachable is there, and no walk is needed.
  bool every_link_lands = true;
};

struct Examination {
  const ObjectStore& store;
  const std::vector<LooseFile>& loose;
  const IdSet& loose_ids;
  const IdSet& shallow;  // commits whose parents are missing on purpose

  // Loose objects are inflated and hashed.
  void examine_loose(Examined& found) const;
  // Commits, trees and tags are read for what they name; with `hash_all` every object is read, and hashed. Only for
  // packs that were read through just now: they are mapped, and a disk's read error would end the process.
  void examine_packs(bool hash_all, Examined& found) const;
};

}  // namespace checkout
