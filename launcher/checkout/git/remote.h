// Talking to the remote. Each conversation runs in a process of its own, which is killed when no byte has come for
// too long: libgit2 has no deadline for a silent server.
#pragma once

#include <git2/oid.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"

namespace checkout {

struct LentCommits;

enum class Transport { kLibgit2, kGit };

// Secrets are named, never carried: the variable is read when the remote asks, and never printed.
struct Credentials {
  std::string user_name;       // empty: the URL's, else "x-access-token"
  std::string token_variable;  // the environment variable with a password or token; empty: GITHUB_TOKEN, GIT_TOKEN
  std::filesystem::path ssh_key;
  std::filesystem::path ssh_known_hosts;  // empty: ~/.ssh/known_hosts
  std::filesystem::path netrc;            // empty: $NETRC, then ~/.netrc
  std::filesystem::path ca_bundle;        // empty: the system's
};

struct RemoteSettings {
  std::string url;
  std::string ref;  // branch, tag or full commit id; empty: the remote's default branch
  Transport transport = Transport::kLibgit2;
  int history_depth = 0;
  Credentials credentials;
  std::chrono::seconds stall_limit{60};
  // Of a conversation that fails for a reason that may pass. Pauses double from 1 s to 30 s, so that nine attempts
  // outlast a fault of two minutes.
  int attempts = 9;
  std::function<void(const std::string&)> say;
  std::shared_ptr<const LentCommits> lent;  // by libgit2 only; may be null
};

// What the remote answered for the wanted ref.
struct Upstream {
  enum class Form { kBranch, kTag, kCommit };
  Form form = Form::kBranch;
  std::string name;  // "DL4Math", "v1.0"; the id for a commit
  git_oid commit;    // tags peeled once fetched
  std::string default_branch;
  bool downloaded = false;
};

enum class Fetch {
  kNothing,     // only asks where the wanted ref is; needs no repository
  kWhenNew,     // nothing is downloaded when the wanted commit and its tracking ref are here already
  kEverything,  // all branches and tags, whatever is here
};

// Fetches into `git_folder`: branches to refs/remotes/origin/*, tags to refs/tags/*. Transient failures are tried
// again with growing, jittered pauses. Errors: kNetwork, kAuthentication, kNotFound, kNoSpace, kNotPermitted, kDamaged.
base::Result<Upstream> fetch(const std::filesystem::path& git_folder, const RemoteSettings& settings, Fetch what);

}  // namespace checkout
