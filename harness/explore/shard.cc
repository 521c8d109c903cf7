#include "harness/explore/shard.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>

#include "base/unique_fd.h"

namespace explore {

static base::Error no_shard(const std::string& detail) {
  return base::Error{.code = base::ErrorCode::kInvalidInput,
                     .operation = "find out which shard this is",
                     .path = {},
                     .system_errno = 0,
                     .detail = detail,
                     .remedy = "Write --shard 1/4 to --shard 4/4, or set both variables of the pair"};
}

static std::optional<int> whole_number(const std::string& text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

static base::Result<Shard> checked(std::optional<int> index, std::optional<int> count, const std::string& words) {
  if (!index || !count || *count < 1 || *index < 0 || *index >= *count) return base::fail(no_shard(words));
  return Shard{.index = *index, .count = *count, .status_file = {}};
}

static base::Result<Shard> from_option(const std::string& option) {
  const auto slash = option.find('/');
  if (slash == std::string::npos) return base::fail(no_shard(fmt::format("\"{}\" is no shard", option)));
  auto index = whole_number(option.substr(0, slash));
  if (index) --*index;
  return checked(index, whole_number(option.substr(slash + 1)), fmt::format("\"{}\" is no shard", option));
}

base::Result<Shard> find_shard(const std::string& option, const Variables& variables) {
  struct Pair {
    const char* index;
    const char* count;
    bool either_alone_is_normal;  // Kubernetes sets the index for every indexed Job, sharded or not
  };
  static constexpr std::array<Pair, 3> kPairs{{{"TEST_SHARD_INDEX", "TEST_TOTAL_SHARDS", false},
                                               {"GTEST_SHARD_INDEX", "GTEST_TOTAL_SHARDS", false},
                                               {"JOB_COMPLETION_INDEX", "JOB_COMPLETIONS", true}}};
  base::Result<Shard> shard = Shard{};
  if (!option.empty()) shard = from_option(option);
  for (const Pair& pair : kPairs) {
    const auto index = variables(pair.index);
    const auto count = variables(pair.count);
    if (!option.empty() || (!index && !count)) continue;
    if (!index || !count) {
      if (pair.either_alone_is_normal) continue;
      return base::fail(no_shard(fmt::format("of {} and {} only one is set", pair.index, pair.count)));
    }
    shard = checked(whole_number(*index), whole_number(*count),
                    fmt::format("{}={} of {}={} is no shard", pair.index, *index, pair.count, *count));
    break;
  }
  if (!shard) return shard;
  for (const char* name : {"TEST_SHARD_STATUS_FILE", "GTEST_SHARD_STATUS_FILE"}) {
    if (shard->status_file.empty()) shard->status_file = variables(name).value_or("");
  }
  return shard;
}

base::Result<Shard> claim_shard(const std::string& option) {
  const auto shard = find_shard(option, [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr || *value == '\0') return std::nullopt;
    return value;
  });
  if (!shard || shard->status_file.empty()) return shard;
  const base::UniqueFd file(::open(shard->status_file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  if (!file.valid()) return base::fail(base::system_error(errno, "touch the shard's status file", shard->status_file));
  return shard;
}

}  // namespace explore
