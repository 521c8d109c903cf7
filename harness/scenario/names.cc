#include "harness/scenario/names.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace scenario {

const Names& platform_names() {
  static const Names names{"runpod",
                           "docker-always",
                           "docker-unless-stopped",
                           "docker-on-failure",
                           "docker-on-failure-5",
                           "podman",
                           "kubernetes-always",
                           "kubernetes-on-failure",
                           "none"};
  return names;
}

const Names& damage_names() {
  static const Names names{"index-lock",   "empty-loose-object", "empty-branch-ref",
                           "zeroed-index", "missing-head",       "git-gone"};
  return names;
}

const Names& oracle_names() {
  static const Names names{"never-loops", "work-preserved", "checkout-sound", "training-resumes", "completion-sticks"};
  return names;
}

const Names& outcome_names() {
  static const Names names{"completed", "held", "looped", "exited", "running", "stopped", "terminated"};
  return names;
}

const Names& disk_kind_names() {
  static const Names names{"container", "volume", "network-volume"};
  return names;
}

const Names& trainer_fault_names() {
  static const Names names{"crash",           "oom",           "segfault",       "exit-zero", "hang",
                           "finish-exit-one", "save-exit-one", "kills-container"};
  return names;
}

const Names& network_fault_names() {
  static const Names names{"refuse",   "dns-failure",   "half-open",      "stall",     "slow",
                           "reset",    "http-401",      "http-403",       "http-404",  "http-429",
                           "http-500", "redirect-loop", "truncated-pack", "wrong-pack"};
  return names;
}

const Names& network_service_names() {
  static const Names names{"git", "pip", "provider", "notify"};
  return names;
}

const Names& edit_kind_names() {
  static const Names names{"modify", "untracked", "commit", "stash"};
  return names;
}

const Names& file_damage_names() {
  static const Names names{"tear", "zero", "hole", "delete", "garbage", "folder", "chmod"};
  return names;
}

const Names& disk_fault_names() {
  static const Names names{"full", "quota", "read-only", "failing", "hanging"};
  return names;
}

const Names& gpu_fault_names() {
  static const Names names{"missing", "lost", "dead", "ecc", "healthy"};
  return names;
}

const Names& nvidia_smi_names() {
  static const Names names{"works", "hangs", "stuck", "fails", "mismatch"};
  return names;
}

const Names& provider_fault_names() {
  static const Names names{"401", "403",  "404", "409",      "429",         "500",      "502",
                           "503", "slow", "lie", "not-json", "wrong-types", "redirect", "huge"};
  return names;
}

const Names& provider_api_names() {
  static const Names names{"both", "rest", "graphql"};
  return names;
}

const Names& oracle_expectation_names() {
  static const Names names{"passes", "fails", "fails-proven", "fails-observed"};
  return names;
}

static std::size_t edit_distance(std::string_view left, std::string_view right) {
  std::vector<std::size_t> row(right.size() + 1);
  std::iota(row.begin(), row.end(), 0U);
  for (std::size_t i = 0; i < left.size(); ++i) {
    std::size_t above_left = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < right.size(); ++j) {
      const std::size_t above = row[j + 1];
      const std::size_t changed = above_left + (left[i] == right[j] ? 0 : 1);
      row[j + 1] = std::min({above + 1, row[j] + 1, changed});
      above_left = above;
    }
  }
  return row.back();
}

std::string nearest(std::string_view word, const Names& candidates) {
  // More than a third of the letters wrong is no slip any more; two always may be.
  const std::size_t edits_max = std::max<std::size_t>(2, word.size() / 3);
  std::string best;
  std::size_t best_edits = edits_max + 1;
  for (const std::string& candidate : candidates) {
    const std::size_t edits = edit_distance(word, candidate);
    if (edits < best_edits) {
      best = candidate;
      best_edits = edits;
    }
  }
  return best;
}

std::string suggest(std::string_view word, const Names& candidates) {
  const std::string guess = nearest(word, candidates);
  const std::string list = fmt::format("Valid here: {}", fmt::join(candidates, ", "));
  return guess.empty() ? list : fmt::format("Did you mean \"{}\"? {}", guess, list);
}

}  // namespace scenario
