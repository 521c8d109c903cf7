// The checkout: brings the work tree and its .git into a state that training can use, and keeps everything the user
// had in it: in place, under refs/podlaunch/rescue/…, or in quarantine.
//
// Everything here is synchronous and is meant to run in a helper process that may be killed at any moment: whatever
// it leaves behind, the next call handles. The caller holds the checkout's lock.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "launcher/checkout/git/remote.h"
#include "launcher/checkout/survey/finding.h"
#include "launcher/checkout/treatment/rescued.h"

namespace checkout {

enum class UpdateMode { kAlways, kUntilCheckpoint, kOncePerRun, kNever };
enum class LocalChanges { kKeep, kSetAside };

struct Request {
  std::string url;
  std::string ref;                       // branch, tag or full commit id; empty: the remote's default branch
  std::filesystem::path path;            // the checkout, absolute
  std::filesystem::path private_folder;  // staging and quarantine, beside the checkout; empty: private_folder_of(path)

  UpdateMode update = UpdateMode::kAlways;
  bool run_has_checkpoint = false;  // for kUntilCheckpoint
  bool run_was_updated = false;     // for kOncePerRun
  LocalChanges local_changes = LocalChanges::kKeep;

  bool deep = false;  // after an unclean end, on a new host, or when asked
  LockTrust lock_trust = LockTrust::kNobodyElse;
  Transport transport = Transport::kLibgit2;
  int history_depth = 0;  // commits; 0 is all. Needs the git program
  Credentials credentials;
  std::chrono::seconds network_stall_limit{60};  // no byte for so long: the attempt has failed
  int network_attempts = 9;                // where the remote is needed; a healthy checkout asks it four times at most
  std::uint64_t quarantine_bytes_max = 0;  // 0: no cap. What would go beyond it fails, with kNoSpace and the reason

  int submodule_nesting = 0;  // how many projects this one lies in as a submodule

  // One line for a person as work proceeds; may be empty.
  std::function<void(const std::string&)> say;
};

struct Outcome {
  std::filesystem::path path;
  std::string commit;  // HEAD, 40 hex digits: what training will run
  std::string branch;  // short name; empty when HEAD is detached
  bool cloned = false;
  bool updated = false;           // HEAD moved to a newer commit
  bool repaired = false;          // a finding was treated
  bool upstream_reached = false;  // the remote answered
  bool local_changes = false;     // tracked files differ from HEAD
  int ahead = 0;                  // commits here and not upstream
  int behind = 0;                 // commits upstream and not here
  bool surveyed_deep = false;
  std::vector<Finding> findings;  // what was found on arrival, treated or not
  std::vector<std::string> done;  // what was done, in order, a sentence each
  std::vector<Rescued> rescued;
  std::vector<std::string> warnings;  // said loudly by the caller
};

// Errors by code:
//   kInvalidInput    the request cannot be used (path, URL, ref); nothing was touched
//   kNetwork         the remote cannot be reached and there is no usable checkout; worth retrying later
//   kAuthentication  the remote refused the credential or its absence; permanent until the user acts
//   kNotFound        the remote answered: no such repository or no such ref; permanent until the user acts
//   kNoSpace         the disk or the quota is full
//   kNotPermitted    no permission, or a read-only file system
//   kBusy            somebody else is at work in this checkout
//   kDamaged         damaged, and it cannot be mended without the remote (detail says what); hold and retry
//   kUnsupported     a repository feature this program must not touch (detail says which)
base::Result<Outcome> bring_up(const Request& request);

// Asks the remote where the wanted ref is: a commit's 40 hex digits. Touches no checkout. Errors: as above.
base::Result<std::string> ask_upstream(const Request& request);

// Where staging and quarantine of a checkout lie: <parent>/.podlaunch/<name>, on the same file system.
std::filesystem::path private_folder_of(const std::filesystem::path& checkout);

// Read-only. Works on any repository, also one that podlaunch never saw; `url` and `ref` may be empty.
base::Result<Survey> survey(const std::filesystem::path& path, Depth depth,
                            LockTrust lock_trust = LockTrust::kAskProcesses);

// Refuses a place where nobody's checkout may be (the root, a home folder, inside .git, a device) or that cannot be
// looked at.
base::Result<void> check_place(const std::filesystem::path& path);

// Survey, rescue and treatment without update: `podlaunch repair`. An empty url or ref is read from the repository.
base::Result<Outcome> repair(Request request);

// For handing results from the helper process to PID 1, and for --json.
std::string to_json(const Survey& survey);
std::string to_json(const base::Result<Outcome>& result);
base::Result<Outcome> outcome_from_json(std::string_view text);

}  // namespace checkout
