// What every treatment works with, and the few steps that many of them share.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "launcher/checkout/git/files.h"
#include "launcher/checkout/git/history.h"
#include "launcher/checkout/git/remote.h"
#include "launcher/checkout/survey/survey.h"
#include "launcher/checkout/treatment/rescued.h"

namespace checkout {

class Workshop {
 public:
  Workshop(Scene the_scene, fs::path private_folder, RemoteSettings the_remote)
      : scene(std::move(the_scene)), folder(std::move(private_folder)), remote(std::move(the_remote)) {}

  Scene scene;
  PrivateFolder folder;
  RemoteSettings remote;

  std::vector<std::string> done;
  std::vector<Rescued> rescued;
  std::vector<std::string> warnings;

  std::optional<RefTable> upstream_refs;    // set once a side clone was made and its objects grafted
  std::optional<base::Error> remote_error;  // set once the remote was asked in vain
  bool grafted_beyond = false;              // the small graft was tried
  bool wants_full_fetch = false;            // references were lost that only the remote can give back
  bool references_were_lost = false;        // so commits may be reachable from nowhere now

  void did(std::string sentence);
  void warn(std::string sentence);
  fs::path in_git(const fs::path& name) const { return scene.git_folder / name; }
  fs::path in_checkout(const std::string& where) const { return scene.work_tree / where; }

  // Out of the way: to quarantine, or gone when it holds nothing (empty, or zero bytes only).
  base::Result<void> put_away(const fs::path& path, std::string_view why);
  // Keeps a copy in quarantine unless the file holds nothing; for files that are about to be replaced in one step.
  base::Result<void> keep_copy(const fs::path& path, std::string_view why);

  base::Result<void> write_ref(const std::string& name, const git_oid& id, std::string_view reason);
  base::Result<void> write_head(const RefValue& value);
  // The reference, loose and packed; its log goes to quarantine.
  base::Result<void> drop_ref(const std::string& name, std::string_view why);

  // One of ours that another one covers: nothing is lost with it.
  base::Result<void> forget_ref(const std::string& name);

  // A commit that nothing may lose: refs/podlaunch/rescue/<hint>-<id>. The same commit gets the same name each time.
  base::Result<std::string> rescue_commit(const git_oid& id, const std::string& hint, const std::string& what);

 private:
  base::Result<void> drop_packed_ref(const std::string& name);
};

}  // namespace checkout
