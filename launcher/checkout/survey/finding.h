// What a survey of a checkout found.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace checkout {

enum class Depth {
  kQuick,  // every boot: no object is hashed
  kDeep,   // every file of the database checked against its checksum, everything reachable there, the work tree hashed
  kFull,   // and every single object read and hashed
};

// Who else could hold a lock file that lies in .git?
enum class LockTrust {
  kNobodyElse,    // we are the first process on a disk that no other pod shares: a lock that lies there is stale
  kAskProcesses,  // other programs may be at work: a lock is stale only when no process here has it open or works here
};

// The names are stable: they appear in --json, in logs and in the damage catalogue.
enum class FindingKind {
  // The place
  kCheckoutMissing,
  kCheckoutIsFile,
  kCheckoutIsLink,
  kCheckoutIsSpecial,   // a device, pipe or socket
  kCheckoutOutOfReach,  // the way to it ends in an error
  kCheckoutEmpty,
  kNotARepository,     // a directory with files and no .git
  kBareRepository,     // a database without a work tree
  kLinkedWorkTree,     // its database is another checkout's
  kForeignRepository,  // a repository of some other project
  kNoPermission,
  kReadOnlyFileSystem,
  kForeignOwner,
  // The .git folder
  kGitFolderIsFileOrLink,  // and what it names is gone
  kGitFolderUnusable,      // more is wrong than can be named
  kFolderInTheWay,         // a folder where git keeps a file, or the other way round
  kObjectsFolderMissing,
  kRefsFolderMissing,
  kConfigDamaged,
  kRemoteMissing,
  kRemoteDiffers,
  kHeadDamaged,  // missing, empty, NUL, garbage
  kHeadUnborn,   // names a branch that does not exist
  kHeadDetached,
  kStaleLock,
  kHeldLock,
  kIndexMissing,
  kIndexDamaged,
  kRefDamaged,   // empty, NUL, garbage, a directory in the way
  kRefDangling,  // well formed, the object is not there
  kPackedRefsDamaged,
  kReflogDamaged,
  // Objects
  kLooseObjectDamaged,
  kPackDamaged,
  kPackIndexDamaged,   // missing, empty, truncated, wrong checksum; the pack can be indexed again
  kPackIndexOrphaned,  // an index without its pack
  kPackCacheDamaged,   // .rev or .bitmap: git makes them again when it wants them
  kLeftoverFile,       // tmp_pack, tmp_objdir: what an interrupted write left
  kObjectMissing,      // reachable, and nowhere
  kAlternatesDamaged,
  kCommitGraphDamaged,
  kMultiPackIndexDamaged,
  kShallowDamaged,
  kGraftsDamaged,
  // Half-finished work
  kOperationInProgress,  // a merge, rebase, cherry-pick, revert or bisect that the user may go on with
  kOperationDamaged,     // its files make no sense
  kUpdateInterrupted,    // our own update was cut off
  // The work tree
  kFileZeroed,        // contents are NUL bytes while the index believes the file unchanged
  kFileDamaged,       // contents differ while the index believes the file unchanged
  kFileMissing,       // tracked and not there, after the .git was lost
  kFilteredFileLost,  // zeroed or damaged, and git makes it by a program that is not started here
  kLocalChanges,
  // Features to report and leave alone
  kSubmodules,
  kLfsPointers,
  kSparseCheckout,
  kWorktreeExtension,
  kUnsupportedExtension,
  kPartialClone,
  kShallow,
  kBorrowedObjects,  // by alternates
  kGrafts,           // commits have other parents than they name
  kSplitIndex,       // most of the index lies in another file
  // Against upstream
  kWrongBranch,
  kDiverged,
  kUpstreamRewritten,
  kBranchGoneUpstream,
};

std::string_view name(FindingKind kind);

enum class Confidence { kCertain, kLikely };

struct Finding {
  FindingKind kind = FindingKind::kLocalChanges;
  std::string where;  // path relative to the checkout, ref name or object id
  std::string what;   // a sentence
  Confidence sure = Confidence::kCertain;
  std::string threatens;  // what is at stake
  std::string treatment;  // what would be done; empty: nothing, it is only reported
};

// Adds what is at stake and what the treatment would be.
Finding make_finding(FindingKind kind, std::string where, std::string what, Confidence sure = Confidence::kCertain);

struct Survey {
  Depth depth = Depth::kQuick;
  std::vector<Finding> findings;
  bool looked_into = true;  // false: it is nothing that could be judged, and the findings say why

  // Looked into, and no finding asks for a treatment.
  bool sound() const;
  bool wants_treatment() const;
  bool has(FindingKind kind) const;
};

}  // namespace checkout
