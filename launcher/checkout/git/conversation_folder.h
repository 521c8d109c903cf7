// The folder that a conversation with a remote takes place in. A repository's own configuration can start programs
// (core.sshCommand, credential helpers, url.….insteadOf with ext::), and it comes from wherever the disk comes from; so
// nothing that talks to a remote ever reads it. Instead it is given a bare git folder of ours, with a configuration of
// ours, which borrows the objects of the real one. What was fetched is brought home afterwards.
#pragma once

#include <functional>

#include "launcher/checkout/git/files.h"
#include "launcher/checkout/git/history.h"

namespace checkout {

class ConversationFolder {
 public:
  // Made in `place`, where nothing lies yet, on the file system of `git_folder`. References whose objects are missing
  // are left out, since a remote must not be told that we have them.
  static base::Result<ConversationFolder> make(const fs::path& place, const fs::path& git_folder);

  const fs::path& path() const { return path_; }

  // Moves packs, loose objects and the shallow boundary to the real folder. Safe to be cut off: objects nobody refers
  // to yet do no harm.
  base::Result<void> bring_objects_home() const;
  // Remote branches and tags that are not in the real folder, or elsewhere there.
  std::map<std::string, git_oid> news() const;

 private:
  ConversationFolder(fs::path path, fs::path git_folder) : path_(std::move(path)), git_folder_(std::move(git_folder)) {}

  fs::path path_;
  fs::path git_folder_;
};

// Without a repository: for questions that fetch nothing.
base::Result<void> make_empty_git_folder(const fs::path& place);

}  // namespace checkout
