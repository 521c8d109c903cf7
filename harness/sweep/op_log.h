// The forward log of everything that changed a world's disks, with contents: applied in full to the image it starts
// from, it gives the image at any moment; applied in part, what a power cut may leave (persistence.h).
//
// Changes refer to files and folders by their nodes, not by paths, as a file system's journal does: when the creation
// of a folder is lost, what was done in it goes nowhere, and nothing has to be said about it.
#pragma once

#include <string>
#include <vector>

#include "harness/sweep/image.h"

namespace sweep {

enum class OpKind {
  kAppear,    // a new node under a name
  kLink,      // one more name of a node
  kRename,    // a name moves, perhaps over another one
  kRemove,    // a name goes
  kWrite,     // bytes at an offset
  kTruncate,  // another length
  kDress,     // mode, times, attributes
  kSync,      // fsync or fdatasync of a file or folder
  kSyncDisk,  // syncfs, sync
  kClose,     // of a file that may have been written
  kReplace,   // the world itself made the node what it is now
  kMount,     // another disk in the place of one
};

struct Op {
  OpKind kind = OpKind::kWrite;
  std::string disk;  // mount path of the disk; empty: all disks
  NodeId node = 0;
  Place place;          // the name that comes, goes or moves
  Place second;         // where a rename leads to
  NodeId replaced = 0;  // what a rename took the name from
  Node made;            // kAppear: as it appeared; kDress: what it wears now
  std::uint64_t offset = 0;
  std::string bytes;
  std::uint64_t size = 0;     // kTruncate: the length afterwards
  std::int64_t modified = 0;  // the file's time afterwards
  bool external = false;      // done by the world and not by the pod: never lost
  std::string text;           // for people: "rename /workspace/a -> /workspace/b"

  bool changes_names() const;
  bool changes_bytes() const { return kind == OpKind::kWrite || kind == OpKind::kTruncate; }
  bool changes_nothing() const { return kind == OpKind::kSync || kind == OpKind::kSyncDisk || kind == OpKind::kClose; }
};

// What is not there is passed over: a change of something that was lost is lost with it.
void apply(const Op& op, Image& image);
void write_bytes(Node& node, std::uint64_t offset, const std::string& bytes, std::int64_t modified);
void set_size(Node& node, std::uint64_t size, std::int64_t modified);

}  // namespace sweep
