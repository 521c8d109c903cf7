// The small text formats in a .git folder, parsed without libgit2: it refuses what is damaged, and the point here is
// to read what is left.
#pragma once

#include <git2/oid.h>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "launcher/checkout/git/listing.h"

namespace checkout {

// A reference's own file: either an id or the name of another reference.
struct RefValue {
  std::optional<git_oid> id;
  std::string symbolic;  // "refs/heads/main"
};
std::optional<RefValue> parse_ref(std::string_view contents);

struct PackedRefs {
  std::map<std::string, git_oid> refs;
  std::string sound_lines;  // the file with every damaged line left out
  bool damaged = false;
};
PackedRefs parse_packed_refs(std::string_view contents);

struct ReflogEntry {
  git_oid before;  // zero for the first
  git_oid after;
  std::string message;
  std::string line;  // as it stands, with its newline
};
struct Reflog {
  std::vector<ReflogEntry> entries;
  bool damaged = false;
};
Reflog parse_reflog(std::string_view contents);

// info/grafts: lines of a commit and the parents it is to have.
struct Grafts {
  std::vector<git_oid> ids;  // all that are named
  bool damaged = false;
};
Grafts parse_grafts(std::string_view contents);

// In refs/ or logs/refs/: it is, or was, a reference's own or its log, and not a folder or a lock.
bool may_be_reference(const Listed& file);

// Names of loose references under .git/refs, "refs/heads/main" and so on; folders that should be files are not told.
std::vector<std::string> loose_ref_names(const std::filesystem::path& git_folder);
// Names of references that have a reflog.
std::vector<std::string> reflog_names(const std::filesystem::path& git_folder);

bool valid_ref_name(const std::string& full_name);
// "refs/heads/main" -> "main"; other names are returned as they are.
std::string short_name(const std::string& full_name);

}  // namespace checkout
