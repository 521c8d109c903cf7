#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "harness/oracle/git_witness.h"
#include "harness/oracle/pod_files.h"
#include "harness/oracle/promises.h"

namespace oracle {

namespace fs = std::filesystem;

namespace {

constexpr auto oracle_name = "checkout-sound";

Verdict verdict(Status status, std::string reason) {
  return {oracle_name, status, std::move(reason), false, {}};
}

bool ever_existed(const pod::WorldRecord& record, const std::string& checkout) {
  const auto within = [&](const std::string& path) { return lies_within(path, checkout); };
  return std::any_of(record.boots.begin(), record.boots.end(), [&](const pod::Boot& boot) {
    return std::any_of(boot.trace.changed.begin(), boot.trace.changed.end(), within);
  });
}

// The first file below `.git` that git takes for a lock; nobody runs any more who could hold it.
std::string stale_lock(const fs::path& git_folder) {
  std::error_code error;
  for (fs::recursive_directory_iterator entry(git_folder, error), end; !error && entry != end; entry.increment(error)) {
    if (entry->path().extension() == ".lock") return entry->path().lexically_relative(git_folder).string();
  }
  return "";
}

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

struct Check {
  std::vector<std::string> command;
  std::string complaint;  // what a failure means, for people
};

Verdict check(const scenario::Scenario& scenario, const pod::WorldRecord& record) {
  const std::string& path = scenario.start.checkout;
  const auto checkout = host_path(record, path);
  std::error_code error;
  if (!checkout || !fs::exists(*checkout, error)) {
    if (error && error != std::errc::no_such_file_or_directory) {
      return verdict(Status::kUnknown, fmt::format("{} cannot be looked at: {}", path, error.message()));
    }
    if (!checkout && !record.disks.empty())
      return verdict(Status::kNotApplicable, fmt::format("{} lay on a disk that ended with the pod", path));
    if (record.outcome == scenario::Outcome::kCompleted || ever_existed(record, path)) {
      return verdict(Status::kFail, fmt::format("there is no checkout at {} any more", path));
    }
    return verdict(Status::kNotApplicable, fmt::format("nothing ever came to exist at {}", path));
  }
  if (!fs::exists(*checkout / ".git", error)) {
    return verdict(Status::kFail, fmt::format("{} exists, but has no .git: it is not a repository", path));
  }

  const Check checks[] = {
      {{"rev-parse", "--quiet", "--verify", "HEAD^{commit}"}, "HEAD does not lead to a commit"},
      {{"status", "--porcelain"}, "the index or the work tree cannot be read"},
      {{"fsck", "--full", "--no-dangling", "--no-progress"}, "git fsck finds damage"},
  };
  for (const auto& [command, complaint] : checks) {
    const auto answer = ask_git_in(*checkout, command);
    if (!answer) return verdict(Status::kUnknown, answer.error().message());
    if (answer->exit_code != 0) {
      const auto words = first_line(answer->errors.empty() ? answer->output : answer->errors);
      return verdict(Status::kFail, fmt::format("{}: {} (git {}: {})", path, complaint, command.front(),
                                                words.empty() ? fmt::format("exit {}", answer->exit_code) : words));
    }
  }
  if (const auto lock = stale_lock(*checkout / ".git"); !lock.empty()) {
    return verdict(Status::kFail, fmt::format("{} is left with a lock that nobody holds: .git/{}", path, lock));
  }
  return verdict(Status::kPass, fmt::format("git finds {} sound: fsck clean, HEAD and index readable, no locks", path));
}

}  // namespace

Oracle checkout_sound() {
  return {oracle_name, "the checkout is a sound git repository at the end", check};
}

}  // namespace oracle
