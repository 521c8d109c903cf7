// What a power cut may leave of changes that were made and not synced.
//
// A model is fed the op log and divides it, at every moment, into what is certain to survive and what may be lost. A
// cut then leaves all that is certain and some choice of the rest:
//
//   process-kill    nothing is lost: the page cache survives, as it does when only processes die
//   ext4-ordered    names change in the order of the journal, so a prefix of their changes survives; any fsync commits
//                   the journal of its disk; a file's bytes since its last fsync may be missing, be zeros, or be there
//                   in part
//   btrfs           each change of a name may be lost for itself; fsync of a file keeps its bytes, its names and the
//                   folders above them
//   reorder-all     what POSIX promises and no more: fsync of a file keeps its bytes, fsync of a folder its names;
//                   bytes may be zeros, and a rename may leave the old name beside the new one
//   network-volume  names change at once; a file's bytes are certain once it was synced or closed
//
// A rename over an existing name, or a close after a truncation, makes no bytes certain in any of them. ext4 and btrfs
// start to write those bytes then (the latter has waited for them until Linux 3.17), but a commit does not wait for
// them: such a file can be empty or zeros. tests/harness/reality_test.cc has seen both.
//
// The choices are the product of what may happen to each name and each file. Where there are few all are made; where
// there are many the extremes (all lost, all there, names without bytes) and a seeded handful. A cut one change later
// that loses this very change leaves nothing new, so the last change is always among what survives.
//
// Not covered by any model: of several changes of one file without an fsync, others than all, none and half of them;
// sectors that return errors or other files' bytes, disks that lie about flushes, a file system that does not mount any
// more, order between two disks, and what was on the disk before the world began, which counts as certain.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "harness/sweep/op_log.h"

namespace sweep {

enum class ModelKind { kProcessKill, kExt4Ordered, kBtrfs, kReorderAll, kNetworkVolume };

inline constexpr ModelKind kAllModels[] = {ModelKind::kProcessKill, ModelKind::kExt4Ordered, ModelKind::kBtrfs,
                                           ModelKind::kReorderAll, ModelKind::kNetworkVolume};

std::string_view name(ModelKind kind);
std::optional<ModelKind> find_model(std::string_view name);

struct Images {
  std::vector<Image> images;
  double possible = 0;  // how many choices there are
  bool exhaustive = true;
};

class PersistenceModel {
 public:
  PersistenceModel(ModelKind kind, const Image& base) : kind_(kind), certain_(base) {}

  // The next op of the log; `now` is the image with it applied.
  void note(const Op& op, const Image& now);
  // What a cut now may leave; `fresh` is the number of ops at the end of the log that must be among what survives. Up
  // to `exhaustive_max` choices all are made.
  Images images(const Image& now, std::size_t fresh, std::uint64_t seed, double exhaustive_max = 16) const;

  ModelKind kind() const { return kind_; }

 private:
  struct PendingName {
    std::size_t index;  // in the log
    Op op;
    bool source_synced = false;
  };
  // Bytes of one file that may be lost.
  struct PendingBytes {
    std::vector<Op> ops;
    std::size_t last_index = 0;
    std::uint64_t length = 0;               // of the file, with these
    std::optional<std::uint64_t> shortest;  // that a truncation made it
  };
  enum class Tail { kLost, kThere, kZeros, kTorn, kShortened };
  struct Choice {
    std::vector<int> names;  // 0 lost, 1 kept, 2 kept with the old name beside it
    std::map<NodeId, Tail> tails;
  };

  void note_sync(const Op& op, const Image& now);
  void keep_bytes(NodeId node, const Image& now);
  static void supersede(const Op& kept, std::vector<PendingName>& earlier);
  template <class Matches>
  void keep_names(Matches matches);
  void keep_names_of(NodeId node);
  std::vector<Tail> tails(NodeId node) const;
  Image build(const Choice& choice, const Image& now) const;
  Choice everything(int names, Tail tail) const;
  bool keeps_fresh(const Choice& choice, std::size_t first_fresh) const;

  ModelKind kind_;
  std::size_t count_ = 0;
  // All that is certain. It knows every node, also those that have no name yet.
  Image certain_;
  std::vector<PendingName> names_;
  std::map<NodeId, PendingBytes> bytes_;
  std::set<NodeId> changed_since_sync_;
};

}  // namespace sweep
