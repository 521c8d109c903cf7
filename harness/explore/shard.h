// One part of a whole that several machines share: every count-th piece, beginning with the index-th. Which pieces
// there are and in which order must not depend on the machine; then the parts are disjoint and together the whole.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace explore {

struct Shard {
  int index = 0;  // from 0
  int count = 1;
  std::string status_file;  // touched to say that shards are understood, also where this one is empty

  bool has(std::size_t position) const {
    return position % static_cast<std::size_t>(count) == static_cast<std::size_t>(index);
  }
  // Of a number that is to be divided: the shares of all parts add up to it.
  std::size_t share_of(std::size_t whole) const {
    const auto i = static_cast<std::size_t>(index);
    const auto n = static_cast<std::size_t>(count);
    return whole * (i + 1) / n - whole * i / n;
  }
  template <class T>
  std::vector<T> part_of(const std::vector<T>& whole) const {
    std::vector<T> part;
    for (std::size_t i = 0; i < whole.size(); ++i) {
      if (has(i)) part.push_back(whole[i]);
    }
    return part;
  }
};

using Variables = std::function<std::optional<std::string>(const std::string& name)>;

// `option` is what --shard says, "2/4" for the second of four; it beats the variables. Known are, in this order,
// Bazel's TEST_TOTAL_SHARDS and TEST_SHARD_INDEX, GoogleTest's GTEST_TOTAL_SHARDS and GTEST_SHARD_INDEX, and
// Kubernetes' JOB_COMPLETION_INDEX beside JOB_COMPLETIONS, which the Job must set itself. Errors: what is no shard;
// half a pair.
base::Result<Shard> find_shard(const std::string& option, const Variables& variables);

// Of this process's environment; touches the status file. Errors: also that the file cannot be written.
base::Result<Shard> claim_shard(const std::string& option);

}  // namespace explore
