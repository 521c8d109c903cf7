#include "launcher/checkout/survey/finding.h"

#include <algorithm>
#include <array>

#include "base/check.h"

namespace checkout {
namespace {

struct Description {
  FindingKind kind;
  std::string_view name;
  std::string_view threatens;
  std::string_view treatment;  // empty: reported only
};

using enum FindingKind;

constexpr auto kDescriptions = std::to_array<Description>({
    {kCheckoutMissing, "checkout-missing", "training has no code", "clone"},
    {kCheckoutIsFile, "checkout-is-file", "nothing can be cloned here", "move it to quarantine and clone"},
    {kCheckoutIsLink, "checkout-is-link", "work would be done in a place nobody named", ""},
    {kCheckoutIsSpecial, "checkout-is-special", "nothing can be cloned here", ""},
    {kCheckoutOutOfReach, "checkout-out-of-reach", "training has no code", ""},
    {kCheckoutEmpty, "checkout-empty", "training has no code", "clone into it"},
    {kNotARepository, "not-a-repository", "updates and local work have no history",
     "adopt the files into a new .git when they are this project's, else move them to quarantine and clone"},
    {kBareRepository, "bare-repository", "nothing: it is somebody's database, and no checkout", ""},
    {kLinkedWorkTree, "linked-work-tree", "its database is another checkout's, and would be changed with it", ""},
    {kForeignRepository, "foreign-repository", "training would run another project's code",
     "move it to quarantine and clone"},
    {kNoPermission, "no-permission", "git cannot read or write it", "give the owner access"},
    {kReadOnlyFileSystem, "read-only-file-system", "nothing can be updated or repaired", ""},
    {kForeignOwner, "foreign-owner", "git refuses to work here until safe.directory allows it", ""},
    {kGitFolderIsFileOrLink, "git-folder-is-file-or-link", "the history is out of reach",
     "build a new .git around the work tree"},
    {kGitFolderUnusable, "git-folder-unusable", "the history is out of reach", "build a new .git around the work tree"},
    {kFolderInTheWay, "folder-in-the-way", "git cannot write its own file there", "move it to quarantine"},
    {kObjectsFolderMissing, "objects-folder-missing", "git sees no repository", "create it and fetch"},
    {kRefsFolderMissing, "refs-folder-missing", "git sees no repository", "create it, references from their logs"},
    {kConfigDamaged, "config-damaged", "git cannot find its remote", "write it again"},
    {kRemoteMissing, "remote-missing", "git fetch has no address", "add the remote"},
    {kRemoteDiffers, "remote-differs", "git fetch asks another repository", "set the address that was asked for"},
    {kHeadDamaged, "head-damaged", "git sees no repository", "restore it from its log, the wanted ref or the remote"},
    {kHeadUnborn, "head-unborn", "every file looks new", "restore the branch from its log or the remote"},
    {kHeadDetached, "head-detached", "commits made here belong to no branch", ""},
    {kStaleLock, "stale-lock", "git refuses to work", "remove it"},
    {kHeldLock, "held-lock", "another program is at work here", ""},
    {kIndexMissing, "index-missing", "every file looks deleted and new at once", "build it from HEAD"},
    {kIndexDamaged, "index-damaged", "git refuses to work", "build it from HEAD"},
    {kRefDamaged, "ref-damaged", "the branch's commits are out of reach", "restore it from its log or the remote"},
    {kRefDangling, "ref-dangling", "the branch's newest commit is not there",
     "fetch the object, else go back to the newest commit that is whole"},
    {kPackedRefsDamaged, "packed-refs-damaged", "references are out of reach", "keep the sound lines, fetch the rest"},
    {kReflogDamaged, "reflog-damaged", "the history of a reference cannot be read", "keep the sound lines"},
    {kLooseObjectDamaged, "loose-object-damaged", "a file or commit cannot be read",
     "move it to quarantine and bring it back from the remote or the work tree"},
    {kPackDamaged, "pack-damaged", "many files and commits cannot be read",
     "bring the objects back from the remote, save what is readable, move the pack to quarantine"},
    {kPackIndexDamaged, "pack-index-damaged", "the pack's objects are out of reach", "index the pack again"},
    {kPackIndexOrphaned, "pack-index-orphaned", "its pack's objects are gone", "fetch them; move it to quarantine"},
    {kPackCacheDamaged, "pack-cache-damaged", "git fetch or git log fails over it",
     "move it to quarantine: it is a cache"},
    {kLeftoverFile, "leftover-file", "disk space; git may refuse to write there",
     "remove it, or move it to quarantine"},
    {kObjectMissing, "object-missing", "a file or commit cannot be read",
     "bring it back from the remote or the work tree"},
    {kAlternatesDamaged, "alternates-damaged", "objects borrowed from elsewhere are gone",
     "fetch them, then stop borrowing from there"},
    {kCommitGraphDamaged, "commit-graph-damaged", "git reads wrong history", "move it to quarantine: it is a cache"},
    {kMultiPackIndexDamaged, "multi-pack-index-damaged", "git misses objects", "move it to quarantine: it is a cache"},
    {kShallowDamaged, "shallow-damaged", "git reads past the end of history", "write it again from what is there"},
    {kGraftsDamaged, "grafts-damaged", "git refuses to read history", "keep the sound lines"},
    {kOperationInProgress, "operation-in-progress", "the files may be half-way between two commits", ""},
    {kOperationDamaged, "operation-damaged", "git believes that a merge, rebase or bisect goes on",
     "move its files to quarantine"},
    {kUpdateInterrupted, "update-interrupted", "the files are half-way between two commits", "finish the update"},
    {kFileZeroed, "file-zeroed", "training reads zero bytes for code", "restore it from the index"},
    {kFileDamaged, "file-damaged", "training reads damaged code",
     "restore it from the index, keep the old in quarantine"},
    {kFileMissing, "file-missing", "training misses a file", "restore it"},
    {kFilteredFileLost, "filtered-file-lost", "training reads damaged data", ""},
    {kLocalChanges, "local-changes", "", ""},
    {kSubmodules, "submodules", "", ""},
    {kLfsPointers, "lfs-pointers", "training reads a pointer for a large file", ""},
    {kSparseCheckout, "sparse-checkout", "", ""},
    {kWorktreeExtension, "worktree-extension", "libgit2 refuses to open it", ""},
    {kUnsupportedExtension, "unsupported-extension", "this program must not write to it", ""},
    {kPartialClone, "partial-clone", "objects may be missing on purpose", ""},
    {kShallow, "shallow", "", ""},
    {kBorrowedObjects, "borrowed-objects", "history, should that folder go", ""},
    {kGrafts, "grafts", "history reads otherwise than upstream's", ""},
    {kSplitIndex, "split-index", "-", ""},
    {kWrongBranch, "wrong-branch", "training would run another branch", ""},
    {kDiverged, "diverged", "", ""},
    {kUpstreamRewritten, "upstream-rewritten", "", ""},
    {kBranchGoneUpstream, "branch-gone-upstream", "", ""},
});

const Description& describe(FindingKind kind) {
  const auto* found =
      std::find_if(kDescriptions.begin(), kDescriptions.end(), [kind](const Description& d) { return d.kind == kind; });
  CHECK(found != kDescriptions.end());
  return *found;
}

}  // namespace

std::string_view name(FindingKind kind) {
  return describe(kind).name;
}

Finding make_finding(FindingKind kind, std::string where, std::string what, Confidence sure) {
  const Description& description = describe(kind);
  Finding finding;
  finding.kind = kind;
  finding.where = std::move(where);
  finding.what = std::move(what);
  finding.sure = sure;
  finding.threatens = description.threatens;
  finding.treatment = description.treatment;
  return finding;
}

bool Survey::sound() const {
  return looked_into && !wants_treatment();
}

bool Survey::wants_treatment() const {
  return std::any_of(findings.begin(), findings.end(), [](const Finding& f) { return !f.treatment.empty(); });
}

bool Survey::has(FindingKind kind) const {
  return std::any_of(findings.begin(), findings.end(), [kind](const Finding& f) { return f.kind == kind; });
}

}  // namespace checkout
