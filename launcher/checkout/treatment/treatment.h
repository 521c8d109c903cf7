// Treatments: for each finding the smallest change that mends it. The order matters more than the single steps, and is
// described in ladder.cc.
#pragma once

#include "launcher/checkout/treatment/workshop.h"

namespace checkout {

// Surveys and treats until nothing treatable is left or nothing helps any more; returns the last survey. Errors are
// those that no further step can go around: no space, no permission, an unsupported feature.
base::Result<Survey> climb_ladder(Workshop& workshop, Survey survey);

// One finding each. True: something was changed.
base::Result<bool> treat_git_folder(Workshop& workshop, const Finding& finding);
base::Result<bool> treat_config(Workshop& workshop);
base::Result<bool> treat_object_file(Workshop& workshop, const Finding& finding);
base::Result<bool> treat_reference(Workshop& workshop, const Finding& finding);
base::Result<bool> treat_head(Workshop& workshop, const Finding& finding);
base::Result<bool> treat_log(Workshop& workshop, const Finding& finding);
base::Result<bool> treat_index(Workshop& workshop);
base::Result<bool> treat_file(Workshop& workshop, const Finding& finding);
// Missing objects and dangling references, all at once: a graft, then the work tree, then the newest commit that is
// whole.
base::Result<bool> treat_missing(Workshop& workshop, const Survey& survey);

// Fetches a side clone and moves its packs into the database, once per workshop. False when the remote cannot be
// asked; the reason is in workshop.remote_error.
base::Result<bool> graft(Workshop& workshop);

// Fetches only what the remote has beyond the commits of which everything is here. False: nothing came of it, and the
// full graft is to be tried.
base::Result<bool> graft_beyond(Workshop& workshop);
// Moves packs with their indexes into a database; returns how many it did not have.
base::Result<int> move_packs(const fs::path& from, const fs::path& to);

// Writes the index that HEAD's tree makes, with the file times of files that fit it. The old one must be out of the way
// or worth replacing.
base::Result<void> build_index(const fs::path& git_folder, const fs::path& work_tree);
// A split index is written as one file: the same entries, for libgit2, which cannot read it otherwise.
base::Result<void> make_index_whole(Workshop& workshop);
// After git_index_write: libgit2 does not sync it.
base::Result<void> sync_index(const fs::path& git_folder);

// Objects that cannot be replaced and a pack that is damaged: what is readable of it, written anew.
base::Result<int> salvage_pack(Workshop& workshop, const PackFiles& files);

// Commits that were reachable only through what was lost get a rescue reference.
base::Result<void> rescue_unreachable(Workshop& workshop);
// Drops rescue references of which all is led to by others.
base::Result<void> drop_redundant_rescues(Workshop& workshop);
// Copies refs, packed-refs, HEAD, logs and the index to quarantine, once for the same contents.
base::Result<void> rescue_references(Workshop& workshop);

}  // namespace checkout
