// Walking commits, trees and tags in a database that may lack some of them. libgit2's own walk stops at the first
// hole and knows nothing of shallow histories.
#pragma once

#include <git2.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "launcher/checkout/git/formats.h"
#include "launcher/checkout/git/library.h"
#include "launcher/checkout/git/object_files.h"

namespace checkout {

struct TreeEntry {
  std::uint32_t mode = 0;
  std::string name;
  git_oid id;
  bool is_folder() const { return mode == 040000; }
  bool is_submodule() const { return mode == 0160000; }
};

struct CommitParts {
  git_oid tree;
  std::vector<git_oid> parents;
};

std::optional<CommitParts> parse_commit(std::string_view data);
std::optional<std::vector<TreeEntry>> parse_tree(std::string_view data);
// What an annotated tag names, and of which type.
std::optional<std::pair<git_oid, git_object_t>> parse_tag(std::string_view data);

// For one thread, since it remembers what it read last; another takes a History of its own over the same store.
class History {
 public:
  // Errors: kDamaged when there is no objects folder to open.
  static base::Result<History> open(const std::filesystem::path& git_folder);
  History on_same_store() const;
  const ObjectStore& store() const { return *store_; }
  std::shared_ptr<const ObjectStore> shared_store() const { return store_; }
  const IdSet& shallow() const { return shallow_; }  // commits whose parents are missing on purpose

  bool has(const git_oid& id) const;
  // nullopt when it is missing or cannot be read; what comes back has the right hash.
  std::optional<ObjectData> read(const git_oid& id) const;
  std::optional<git_object_t> type_of(const git_oid& id) const;
  std::optional<CommitParts> commit(const git_oid& id) const;  // shallow commits have no parents
  std::optional<std::vector<TreeEntry>> tree(const git_oid& id) const;
  std::optional<git_oid> tree_of_commit(const git_oid& id) const;
  // The commit that a commit or a chain of tags leads to.
  std::optional<git_oid> peel_to_commit(const git_oid& id) const;

  bool is_ancestor(const git_oid& ancestor, const git_oid& of) const;
  // Commits in the history of `tip` and not of `base`; stops counting at 10000.
  int count_beyond(const git_oid& tip, const git_oid& base) const;
  // All commits reachable from `tip`, newest first as far as parents tell; at most `limit`.
  std::vector<git_oid> commits_from(const git_oid& tip, std::size_t limit) const;

 private:
  std::shared_ptr<const ObjectStore> store_;
  std::unique_ptr<Decoder> decoder_;
  IdSet shallow_;
};

struct FlatEntry {
  std::uint32_t mode = 0;
  git_oid id;
  bool operator==(const FlatEntry& other) const { return mode == other.mode && git_oid_equal(&id, &other.id) != 0; }
};
using FlatTree = std::map<std::string, FlatEntry>;
// Every file of a tree by path. nullopt when one of its trees cannot be read.
std::optional<FlatTree> flatten(const History& history, const git_oid& tree);

// All references, loose over packed. Those that cannot be parsed are left out.
struct RefTable {
  std::map<std::string, RefValue> refs;
  std::optional<git_oid> resolve(const std::string& name) const;  // follows symbolic references
};
RefTable read_refs(const std::filesystem::path& git_folder);
// The same where the names of the loose ones are known.
RefTable read_refs(const std::filesystem::path& git_folder, const std::vector<std::string>& loose_names);
std::optional<RefValue> read_head(const std::filesystem::path& git_folder);
// HEAD's commit, through its branch.
std::optional<git_oid> head_commit(const std::filesystem::path& git_folder);

// What is reachable from roots, and what of it is missing or cannot be parsed.
class Closure {
 public:
  struct Missing {
    git_oid id;
    git_object_t type;
    std::string needed_by;
  };
  explicit Closure(const History& history) : history_(history) {}

  // Adds everything reachable from `root`. True when nothing of it is missing.
  bool add(const git_oid& root, const std::string& needed_by);
  // The same for one object of a known type, without the history of a commit.
  bool add_tree(const git_oid& tree, const std::string& needed_by);
  void add_blob(const git_oid& blob) { seen_.insert(blob); }
  bool contains(const git_oid& id) const { return seen_.contains(id); }
  const std::vector<Missing>& missing() const { return missing_; }
  // Existence of blobs is asked of this set instead of the database, when there is one.
  void know(const IdSet* present) { present_ = present; }

 private:
  struct Step {
    git_oid id;
    git_object_t type;
  };
  void visit(const Step& step, std::vector<Step>& pending, const std::string& needed_by);
  bool drain(std::vector<Step> pending, const std::string& needed_by);
  bool present(const git_oid& id) const;

  const History& history_;
  const IdSet* present_ = nullptr;
  IdSet seen_;
  IdSet missing_ids_;
  std::vector<Missing> missing_;
};

}  // namespace checkout
