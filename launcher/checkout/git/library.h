// libgit2 behind owning handles and base::Error.
#pragma once

#include <git2.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "launcher/checkout/objects/id.h"

namespace checkout {

template <class T, void (*release)(T*)>
struct Releases {
  void operator()(T* handle) const { release(handle); }
};
template <class T, void (*release)(T*)>
using Handle = std::unique_ptr<T, Releases<T, release>>;

using Repository = Handle<git_repository, git_repository_free>;
using Remote = Handle<git_remote, git_remote_free>;
using Reference = Handle<git_reference, git_reference_free>;
using Commit = Handle<git_commit, git_commit_free>;
using Tree = Handle<git_tree, git_tree_free>;
using Blob = Handle<git_blob, git_blob_free>;
using Object = Handle<git_object, git_object_free>;
using Index = Handle<git_index, git_index_free>;
using Database = Handle<git_odb, git_odb_free>;
using DatabaseObject = Handle<git_odb_object, git_odb_object_free>;
using Diff = Handle<git_diff, git_diff_free>;
using Config = Handle<git_config, git_config_free>;
using Signature = Handle<git_signature, git_signature_free>;
using TreeBuilder = Handle<git_treebuilder, git_treebuilder_free>;
using Indexer = Handle<git_indexer, git_indexer_free>;

// Sets libgit2 up once in this process: synced writes, and a foreign owner is no reason to refuse, since the launcher
// works on the disk it was pointed at. Safe to call often.
void start_library();
// False where $HOME is closed to us (another user's): git and libgit2 then fail over the settings they cannot read.
bool home_is_open();

// PEM file with the authorities to trust for HTTPS.
base::Result<void> trust_certificates(const std::filesystem::path& bundle);

// The error libgit2 left in this thread, as ours. `code` is the negative number it returned.
base::Error library_error(int code, std::string operation, std::string path = {});

// Opens `git_folder` itself, with `work_tree` as its work tree whatever core.worktree says.
base::Result<Repository> open_repository(const std::filesystem::path& git_folder,
                                         const std::filesystem::path& work_tree);

// A name and mail for commits that the launcher makes.
base::Result<Signature> launcher_signature();

}  // namespace checkout
